package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type filesMkdirOptions struct {
	app     *App
	id      string
	paths   []string
	parents bool
}

func newFilesMkdirCmd(a *App) *cobra.Command {
	o := &filesMkdirOptions{app: a}
	cmd := &cobra.Command{
		Use:               "mkdir [flags] ID PATH...",
		Short:             "Create directories",
		Args:              nargs(2, -1, "ID and PATH"),
		ValidArgsFunction: a.completeSandboxPath(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.paths = args[0], args[1:]
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&o.parents, "parents", "p", false, "create parents, too; a directory that exists is no error")
	return cmd
}

func (o *filesMkdirOptions) run(ctx context.Context) error {
	files, err := o.app.files(ctx, o.id)
	if err != nil {
		return err
	}
	mkdir := files.Mkdir
	if o.parents {
		mkdir = files.MkdirAll
	}
	for _, path := range o.paths {
		if err := mkdir(ctx, path); err != nil {
			return err
		}
	}
	return nil
}
