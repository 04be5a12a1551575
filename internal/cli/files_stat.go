package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

type filesStatOptions struct {
	app      *App
	id, path string
}

func newFilesStatCmd(a *App) *cobra.Command {
	o := &filesStatOptions{app: a}
	return &cobra.Command{
		Use:               "stat [flags] ID PATH",
		Short:             "Show what is known about a file; a symbolic link is not followed",
		Args:              nargs(2, 2, "ID and PATH"),
		ValidArgsFunction: a.completeSandboxPath(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.path = args[0], args[1]
			return o.run(cmd.Context())
		},
	}
}

func (o *filesStatOptions) run(ctx context.Context) error {
	files, err := o.app.files(ctx, o.id)
	if err != nil {
		return err
	}
	e, err := files.Stat(ctx, o.path)
	if err != nil {
		return err
	}
	if o.app.global.json {
		return o.app.printJSON(newEntryJSON(e))
	}
	t := o.app.newTable()
	t.row("Path:", e.Path)
	t.row("Type:", typeOf(e.Mode))
	if e.Target != "" {
		t.row("Target:", e.Target)
	}
	t.row("Size:", fmt.Sprint(e.Size))
	t.row("Mode:", modeOf(e.Mode))
	t.row("Owner:", e.Owner+":"+e.Group)
	t.row("Modified:", e.Modified.Format(time.RFC3339))
	return t.flush()
}
