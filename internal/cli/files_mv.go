package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type filesMoveOptions struct {
	app      *App
	id       string
	from, to string
}

func newFilesMoveCmd(a *App) *cobra.Command {
	o := &filesMoveOptions{app: a}
	return &cobra.Command{
		Use:               "mv [flags] ID FROM TO",
		Aliases:           []string{"rename"},
		Short:             "Rename a file or directory",
		Args:              nargs(3, 3, "ID, FROM and TO"),
		ValidArgsFunction: a.completeSandboxPath(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.from, o.to = args[0], args[1], args[2]
			return o.run(cmd.Context())
		},
	}
}

func (o *filesMoveOptions) run(ctx context.Context) error {
	files, err := o.app.files(ctx, o.id)
	if err != nil {
		return err
	}
	return files.Rename(ctx, o.from, o.to)
}
