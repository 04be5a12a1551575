package cli

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

// processJSON is a process in the output of top --json. Its environment is left
// out: it may hold secrets.
type processJSON struct {
	PID     int      `json:"pid"`
	Tag     string   `json:"tag,omitempty"`
	Command []string `json:"command"`
	Dir     string   `json:"dir,omitempty"`
}

type topOptions struct {
	app *App
	id  string
}

func newTopCmd(a *App) *cobra.Command {
	o := &topOptions{app: a}
	return &cobra.Command{
		Use:               "top [flags] ID",
		Aliases:           []string{"processes"},
		Short:             "List the processes that were started in a sandbox",
		Args:              nargs(1, 1, "ID"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			return o.run(cmd.Context())
		},
	}
}

func (o *topOptions) run(ctx context.Context) error {
	sb, err := o.app.connect(ctx, o.id)
	if err != nil {
		return err
	}
	procs, err := sb.Processes(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(procs, func(a, b quixand.ProcessInfo) int { return cmp.Compare(a.PID, b.PID) })
	if o.app.global.json {
		out := make([]processJSON, len(procs))
		for i, p := range procs {
			out[i] = processJSON{PID: p.PID, Tag: p.Tag, Command: append([]string{p.Cmd}, p.Args...), Dir: p.Dir}
		}
		return o.app.printJSON(out)
	}
	t := o.app.newTable("PID", "TAG", "COMMAND")
	for _, p := range procs {
		t.row(strconv.Itoa(p.PID), p.Tag, strings.Join(append([]string{p.Cmd}, p.Args...), " "))
	}
	return t.flush()
}
