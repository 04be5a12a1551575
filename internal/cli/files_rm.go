package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

type filesRemoveOptions struct {
	app       *App
	id        string
	paths     []string
	recursive bool
	force     bool
}

func newFilesRemoveCmd(a *App) *cobra.Command {
	o := &filesRemoveOptions{app: a}
	cmd := &cobra.Command{
		Use:               "rm [flags] ID PATH...",
		Aliases:           []string{"remove"},
		Short:             "Remove files and directories",
		Args:              nargs(2, -1, "ID and PATH"),
		ValidArgsFunction: a.completeSandboxPath(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.paths = args[0], args[1:]
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.recursive, "recursive", "r", false, "remove directories with what is in them")
	f.BoolVarP(&o.force, "force", "f", false, "what is missing is no error")
	return cmd
}

func (o *filesRemoveOptions) run(ctx context.Context) error {
	files, err := o.app.files(ctx, o.id)
	if err != nil {
		return err
	}
	for _, path := range o.paths {
		if err := o.remove(ctx, files, path); err != nil {
			return err
		}
	}
	return nil
}

// remove asks for a missing path itself: RemoveAll does not mind one.
func (o *filesRemoveOptions) remove(ctx context.Context, files *quixand.Files, path string) error {
	if !o.recursive {
		err := files.Remove(ctx, path)
		if o.force && errors.Is(err, quixand.ErrNotFound) {
			return nil
		}
		return err
	}
	if !o.force {
		if _, err := files.Stat(ctx, path); err != nil {
			return err
		}
	}
	return files.RemoveAll(ctx, path)
}
