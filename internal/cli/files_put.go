package cli

import (
	"context"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

type copyOptions struct {
	app    *App
	id     string
	local  string
	remote string
	quiet  bool
}

func newFilesPutCmd(a *App) *cobra.Command {
	o := &copyOptions{app: a}
	cmd := &cobra.Command{
		Use:   "put [flags] ID LOCAL [PATH]",
		Short: "Copy a file or directory into a sandbox",
		Long: `Copy a file or a whole directory into a sandbox, as cp -r does: PATH becomes
the copy, or holds it when it is a directory. Without PATH it goes to the workdir.`,
		Args:              nargs(2, 3, "ID, LOCAL and PATH"),
		ValidArgsFunction: a.completeSandbox(1, localFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.local, o.remote = args[0], args[1], "."
			if len(args) == 3 {
				o.remote = args[2]
			}
			return o.put(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "do not show the progress")
	return cmd
}

func (o *copyOptions) put(ctx context.Context) error {
	files, err := o.app.files(ctx, o.id)
	if err != nil {
		return err
	}
	return o.transfer(filepath.Base(o.local), localSize(o.local), func(progress func(int64)) error {
		return files.Put(ctx, o.local, o.remote, progress)
	})
}

// transfer shows how far a copy is.
func (o *copyOptions) transfer(name string, total func() int64, run func(progress func(int64)) error) error {
	line := o.app.newStatusLine(o.quiet)
	if line.w == nil {
		return run(nil) // nobody looks: the sum of sizes need not be known
	}
	defer line.clear()
	bar := &transfer{line: line, name: name, total: total(), begun: o.app.Now()}
	return run(bar.progress)
}

// localSize adds up the files of the host that are to be copied. What cannot be
// read is the copy's to complain about.
func localSize(root string) func() int64 {
	return func() (sum int64) {
		_ = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil //nolint:nilerr // see above
			}
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				sum += info.Size()
			}
			return nil
		})
		return sum
	}
}

// remoteSize is the size of a file in the sandbox; a directory's is not known.
func remoteSize(ctx context.Context, files *quixand.Files, path string) func() int64 {
	return func() int64 {
		e, err := files.Stat(ctx, path)
		if err != nil || !e.Mode.IsRegular() {
			return 0
		}
		return e.Size
	}
}
