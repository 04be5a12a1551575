package cli

import (
	"context"
	"path"

	"github.com/spf13/cobra"
)

func newFilesGetCmd(a *App) *cobra.Command {
	o := &copyOptions{app: a}
	cmd := &cobra.Command{
		Use:   "get [flags] ID PATH [LOCAL]",
		Short: "Copy a file or directory out of a sandbox",
		Long: `Copy a file or a whole directory out of a sandbox, as cp -r does: LOCAL becomes
the copy, or holds it when it is a directory. Without LOCAL it goes to the
current directory. Nothing is written outside of LOCAL, whatever the sandbox says.`,
		Args:              nargs(2, 3, "ID, PATH and LOCAL"),
		ValidArgsFunction: a.completeSandboxPath(2, localFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.remote, o.local = args[0], args[1], "."
			if len(args) == 3 {
				o.local = args[2]
			}
			return o.get(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "do not show the progress")
	return cmd
}

func (o *copyOptions) get(ctx context.Context) error {
	files, err := o.app.files(ctx, o.id)
	if err != nil {
		return err
	}
	return o.transfer(path.Base(o.remote), remoteSize(ctx, files, o.remote), func(progress func(int64)) error {
		return files.Get(ctx, o.remote, o.local, progress)
	})
}
