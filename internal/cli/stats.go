package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/quixand"
)

// statsJSON is what a sandbox uses, in the output of --json.
type statsJSON struct {
	ID          string    `json:"id"`
	Time        time.Time `json:"time"`
	CPUCount    int       `json:"cpuCount"`
	CPUPercent  float64   `json:"cpuPercent"`
	MemoryUsed  int64     `json:"memoryUsed"`
	MemoryTotal int64     `json:"memoryTotal"`
	DiskUsed    *int64    `json:"diskUsed"` // null: not known
	DiskTotal   int64     `json:"diskTotal"`
	Processes   int       `json:"processes"`
}

func newStatsJSON(id string, m *quixand.Metrics) statsJSON {
	out := statsJSON{
		ID: id, Time: m.Time.UTC(), CPUCount: m.CPUCount, CPUPercent: m.CPUPercent,
		MemoryUsed: m.MemoryUsed, MemoryTotal: m.MemoryTotal, DiskTotal: m.DiskTotal, Processes: m.Processes,
	}
	if m.DiskUsed >= 0 {
		out.DiskUsed = &m.DiskUsed
	}
	return out
}

type statsOptions struct {
	app      *App
	ids      []string
	follow   bool
	interval time.Duration
}

func newStatsCmd(a *App) *cobra.Command {
	o := &statsOptions{app: a, interval: 2 * time.Second}
	cmd := &cobra.Command{
		Use:   "stats [flags] [ID]...",
		Short: "Show what sandboxes use of processors, memory and disk",
		Long: `Show what sandboxes use, those that run when none is named: processor time since
somebody asked last, in percent of one processor; memory without caches; what was
written to the disk; and how many processes there are. Looking is no activity.`,
		ValidArgsFunction: a.completeSandbox(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ids = args
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on, with one line per sandbox and interval, until Ctrl-C")
	f.Var(durationValue{d: &o.interval}, "interval", "time between two lines of --follow")
	return cmd
}

func (o *statsOptions) run(ctx context.Context) error {
	sandboxes, err := o.sandboxes(ctx)
	if err != nil {
		return err
	}
	if o.follow {
		return o.watch(ctx, sandboxes)
	}
	metrics := make([]*quixand.Metrics, len(sandboxes))
	errs := make([]error, len(sandboxes))
	var all sync.WaitGroup
	for i, sb := range sandboxes {
		all.Go(func() { metrics[i], errs[i] = sb.Metrics(ctx) })
	}
	all.Wait()
	if len(o.ids) == 0 {
		errs = slices.DeleteFunc(errs, isGone) // others may end meanwhile
	}
	return errors.Join(append(errs, o.print(sandboxes, metrics))...)
}

// sandboxes are those that are named, or else those that run.
func (o *statsOptions) sandboxes(ctx context.Context) ([]*quixand.Sandbox, error) {
	c, err := o.app.client()
	if err != nil {
		return nil, err
	}
	ids := o.ids
	if len(ids) == 0 {
		infos, err := c.List(ctx, &quixand.ListOptions{States: []quixand.State{quixand.StateRunning}})
		if err != nil {
			return nil, err
		}
		for _, i := range infos {
			ids = append(ids, i.ID)
		}
	}
	var found []*quixand.Sandbox
	for _, id := range ids {
		sb, err := c.Connect(ctx, id)
		if err != nil && (len(o.ids) > 0 || !isGone(err)) {
			return nil, err
		}
		if err == nil {
			found = append(found, sb)
		}
	}
	return found, nil
}

func isGone(err error) bool { return errors.Is(err, quixand.ErrNotFound) }

func (o *statsOptions) print(sandboxes []*quixand.Sandbox, metrics []*quixand.Metrics) error {
	rows := []statsJSON{}
	for i, m := range metrics {
		if m != nil {
			rows = append(rows, newStatsJSON(sandboxes[i].ID(), m))
		}
	}
	if o.app.global.json {
		return o.app.printJSON(rows)
	}
	t := o.app.newTable(statsHeader...)
	for _, r := range rows {
		t.row(r.cells()...)
	}
	return t.flush()
}

var statsHeader = []string{"ID", "CPU %", "MEMORY", "OF", "DISK", "PROCESSES"}

func (s *statsJSON) cells() []string {
	disk := "-"
	if s.DiskUsed != nil {
		disk = size(*s.DiskUsed)
	}
	return []string{
		s.ID, fmt.Sprintf("%.1f", s.CPUPercent), size(s.MemoryUsed), size(s.MemoryTotal), disk, strconv.Itoa(s.Processes),
	}
}

// watch prints what each of the sandboxes uses until it ends.
func (o *statsOptions) watch(ctx context.Context, sandboxes []*quixand.Sandbox) error {
	lines := make(chan statsJSON)
	errs := make([]error, len(sandboxes))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	for i, sb := range sandboxes {
		all.Go(func() { errs[i] = follow(ctx, sb, o.interval, lines) })
	}
	go func() {
		all.Wait()
		close(lines)
	}()
	show := o.printLine()
	var failed error
	for l := range lines {
		if failed == nil {
			if failed = show(l); failed != nil {
				stop()
			}
		}
	}
	return errors.Join(append(errs, failed)...)
}

// follow passes on what a sandbox uses. Its end is no error.
func follow(ctx context.Context, sb *quixand.Sandbox, interval time.Duration, lines chan<- statsJSON) error {
	for m, err := range sb.WatchMetrics(ctx, interval) {
		if isGone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		lines <- newStatsJSON(sb.ID(), m)
	}
	return nil
}

// printLine prints one line at a time, in columns of a fixed width, since nobody
// knows the widest in advance.
func (o *statsOptions) printLine() func(statsJSON) error {
	const format = "%-20s  %7s  %10s  %10s  %10s  %9s\n"
	if o.app.global.json {
		return func(l statsJSON) error {
			b, err := marshal(l, "")
			if err == nil {
				_, err = o.app.Stdout.Write(b)
			}
			return err
		}
	}
	header := true
	return func(l statsJSON) error {
		if header {
			header = false
			if _, err := fmt.Fprintf(o.app.Stdout, format, anys(statsHeader)...); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(o.app.Stdout, format, anys(l.cells())...)
		return err
	}
}

func anys(cells []string) []any {
	out := make([]any, len(cells))
	for i, c := range cells {
		out[i] = termsafe.Line(c)
	}
	return out
}
