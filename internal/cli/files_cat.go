package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

type filesCatOptions struct {
	app   *App
	id    string
	paths []string
}

func newFilesCatCmd(a *App) *cobra.Command {
	o := &filesCatOptions{app: a}
	return &cobra.Command{
		Use:               "cat [flags] ID PATH...",
		Aliases:           []string{"read"},
		Short:             "Print files",
		Args:              nargs(2, -1, "ID and PATH"),
		ValidArgsFunction: a.completeSandboxPath(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.paths = args[0], args[1:]
			return o.run(cmd.Context())
		},
	}
}

func (o *filesCatOptions) run(ctx context.Context) error {
	files, err := o.app.files(ctx, o.id)
	if err != nil {
		return err
	}
	stdout, flush := guarded(o.app.Stdout)
	for _, path := range o.paths {
		if err := cat(ctx, files, path, stdout); err != nil {
			return errors.Join(err, flush())
		}
	}
	return flush()
}

func cat(ctx context.Context, files *quixand.Files, path string, w io.Writer) error {
	r, err := files.Open(ctx, path)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}
