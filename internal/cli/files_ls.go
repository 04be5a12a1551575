package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/quixand"
)

type filesListOptions struct {
	app       *App
	id        string
	path      string
	depth     int
	recursive bool
	long      bool
}

func newFilesListCmd(a *App) *cobra.Command {
	o := &filesListOptions{app: a}
	cmd := &cobra.Command{
		Use:               "ls [flags] ID [PATH]",
		Aliases:           []string{"list"},
		Short:             "List a directory",
		Args:              nargs(1, 2, "ID and PATH"),
		ValidArgsFunction: a.completeSandboxPath(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.path = args[0], "."
			if len(args) == 2 {
				o.path = args[1]
			}
			if o.recursive {
				o.depth = math.MaxInt32
			}
			if o.depth < 1 {
				return usagef("--depth %d: must be at least 1", o.depth)
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.long, "long", "l", false, "show mode, owner, size and time")
	f.BoolVarP(&o.recursive, "recursive", "R", false, "list what is in the directories, too")
	f.IntVar(&o.depth, "depth", 1, "list this many levels")
	return cmd
}

func (o *filesListOptions) run(ctx context.Context) error {
	files, err := o.app.files(ctx, o.id)
	if err != nil {
		return err
	}
	entries, err := files.List(ctx, o.path, o.depth)
	if err != nil {
		return err
	}
	switch {
	case o.app.global.json:
		out := make([]entryJSON, len(entries))
		for i, e := range entries {
			out[i] = newEntryJSON(e)
		}
		return o.app.printJSON(out)
	case o.long:
		return o.printLong(entries)
	}
	return o.printNames(entries)
}

// printNames gives a script the names as they are, and a terminal harmless ones.
func (o *filesListOptions) printNames(entries []*quixand.Entry) error {
	_, isTerminal := terminalFD(o.app.Stdout)
	var b strings.Builder
	for _, e := range entries {
		name := o.name(e)
		if isTerminal {
			name = termsafe.Line(name)
		}
		b.WriteString(name)
		b.WriteByte('\n')
	}
	_, err := io.WriteString(o.app.Stdout, b.String())
	return err
}

func (o *filesListOptions) printLong(entries []*quixand.Entry) error {
	t := o.app.newTable()
	for _, e := range entries {
		name := o.name(e)
		if e.Target != "" {
			name += " -> " + e.Target
		}
		t.row(modeOf(e.Mode), e.Owner, e.Group, fmt.Sprint(e.Size), relative(o.app.Now(), e.Modified), name)
	}
	return t.flush()
}

// name is how an entry is called in a list: by its name alone where all are of
// one directory.
func (o *filesListOptions) name(e *quixand.Entry) string {
	if o.depth == 1 {
		return e.Name
	}
	return e.Path
}
