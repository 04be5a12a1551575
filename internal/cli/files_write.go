package cli

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

type filesWriteOptions struct {
	app      *App
	id, path string
	write    quixand.WriteOptions
}

func newFilesWriteCmd(a *App) *cobra.Command {
	o := &filesWriteOptions{app: a}
	var mode string
	cmd := &cobra.Command{
		Use:               "write [flags] ID PATH",
		Short:             "Write standard input to a file, with its parent directories",
		Args:              nargs(2, 2, "ID and PATH"),
		ValidArgsFunction: a.completeSandboxPath(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.path = args[0], args[1]
			if err := o.setMode(mode); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&mode, "mode", "", "permissions of the file, such as 0755 (default: those it has, or 0644)")
	f.StringVarP(&o.write.User, "user", "u", "", "user of the sandbox to write as")
	return cmd
}

func (o *filesWriteOptions) setMode(s string) error {
	if s == "" {
		return nil
	}
	m, err := strconv.ParseUint(s, 8, 32)
	if err != nil || m == 0 || m > 0o777 {
		return usagef("--mode %q: must be octal permissions such as 0755", s)
	}
	o.write.Mode = fs.FileMode(m)
	return nil
}

func (o *filesWriteOptions) run(ctx context.Context) error {
	files, err := o.app.files(ctx, o.id)
	if err != nil {
		return err
	}
	bar := o.app.newTransfer(o.path, regularSize(o.app.Stdin))
	defer bar.line.clear()
	e, err := files.WriteFrom(ctx, o.path, &counter{r: o.app.Stdin, told: bar.progress}, &o.write)
	if err != nil {
		return err
	}
	if o.app.global.json {
		return o.app.printJSON(newEntryJSON(e))
	}
	return nil
}

// regularSize is the size of a stream that is a file, or 0.
func regularSize(r io.Reader) int64 {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return 0
}

// counter tells how much of r has been read.
type counter struct {
	r    io.Reader
	n    int64
	told func(int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.told(c.n)
	return n, err
}
