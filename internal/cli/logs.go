package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

type logsOptions struct {
	app  *App
	id   string
	logs quixand.LogOptions
}

func newLogsCmd(a *App) *cobra.Command {
	o := &logsOptions{app: a}
	cmd := &cobra.Command{
		Use:   "logs [flags] ID",
		Short: "Show what commands have written lately",
		Long: `Show what the commands of a sandbox have written lately, standard output and
standard error each where they belong, as far as the sandbox has kept it. With
--json also when commands began and ended. Of a sandbox that has ended its last
words are shown, with exit code 3.`,
		Args:              nargs(1, 1, "ID"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.logs.Tail < 0 {
				return usagef("--tail %d: must not be negative", o.logs.Tail)
			}
			o.id = args[0]
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.logs.Follow, "follow", "f", false, "go on until the sandbox ends")
	f.IntVarP(&o.logs.Tail, "tail", "n", 0, "only the last so many lines (default all that are kept)")
	return cmd
}

func (o *logsOptions) run(ctx context.Context) error {
	sb, err := o.app.connect(ctx, o.id)
	if ended, ok := errors.AsType[*quixand.Ended](err); ok {
		return errors.Join(o.lastWords(ended), err)
	}
	if err != nil {
		return err
	}
	show, flush := o.shower()
	for entry, err := range sb.Logs(ctx, &o.logs) {
		if err == nil {
			err = show(&entry)
		}
		if err != nil {
			return errors.Join(err, flush())
		}
	}
	return flush()
}

// lastWords shows what is left of a sandbox that has ended.
func (o *logsOptions) lastWords(e *quixand.Ended) error {
	show, flush := o.shower()
	if e.Output == "" {
		return nil
	}
	return errors.Join(show(&quixand.LogEntry{Time: e.Time, Type: "output", Data: []byte(e.Output)}), flush())
}

// shower returns what shows an entry, and what ends the showing.
func (o *logsOptions) shower() (show func(*quixand.LogEntry) error, flush func() error) {
	if o.app.global.json {
		return o.showJSON, func() error { return nil }
	}
	stdout, flushStdout := guarded(o.app.Stdout)
	stderr, flushStderr := guarded(o.app.Stderr)
	show = func(e *quixand.LogEntry) error {
		if e.Lost > 0 {
			o.app.printf("qs: some of the output before this was not kept\n")
		}
		var to io.Writer = stdout
		if e.Stream == "stderr" {
			to = stderr
		}
		_, err := to.Write(e.Data)
		return err
	}
	return show, func() error { return errors.Join(flushStdout(), flushStderr()) }
}

// logJSON is one line of logs --json. It is a promise: fields may be added and
// none changed.
type logJSON struct {
	Time     time.Time `json:"time"`
	Type     string    `json:"type"`
	PID      int       `json:"pid,omitempty"`
	Command  string    `json:"command,omitempty"`
	Stream   string    `json:"stream,omitempty"`
	Text     string    `json:"text,omitempty"` // bytes that are no UTF-8 are replaced
	ExitCode *int      `json:"exitCode,omitempty"`
	Status   string    `json:"status,omitempty"`
	Lost     int64     `json:"lost,omitempty"`
}

func (o *logsOptions) showJSON(e *quixand.LogEntry) error {
	out := logJSON{
		Time: e.Time.UTC(), Type: e.Type, PID: e.PID, Command: e.Command, Stream: e.Stream,
		Text: strings.ToValidUTF8(string(e.Data), "\ufffd"), Status: e.Status, Lost: e.Lost,
	}
	if e.Type == "exit" {
		out.ExitCode = &e.ExitCode
	}
	return o.app.printLineJSON(out)
}

// printLineJSON prints one result of many, on a line of its own.
func (a *App) printLineJSON(v any) error {
	line, err := marshal(v, "")
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.Stdout, string(line))
	return err
}
