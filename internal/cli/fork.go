package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

type forkOptions struct {
	app     *App
	id      string
	sandbox sandboxFlags
	quiet   bool
}

func newForkCmd(a *App) *cobra.Command {
	o := &forkOptions{app: a}
	cmd := &cobra.Command{
		Use:   "fork [flags] ID",
		Short: "Create a sandbox with a copy of another's files, and print its id",
		Long: `Create a sandbox with a copy of another's file system, and print its id. The copy
has its source's workdir, metadata, timeouts, network and limits unless told
otherwise; processes, memory and the environment are not copied. A running source
stands still meanwhile.`,
		Args:              nargs(1, 1, "ID"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			o.leaveOpen(cmd)
			if err := o.sandbox.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	o.sandbox.addOwn(cmd, a)
	o.sandbox.addTimeout(cmd)
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print only the id")
	return cmd
}

// leaveOpen takes back the defaults of flags that were not set: here they are
// the source's.
func (o *forkOptions) leaveOpen(cmd *cobra.Command) {
	if !cmd.Flags().Changed("network") {
		o.sandbox.options.Network = ""
	}
	if !cmd.Flags().Changed("on-timeout") {
		o.sandbox.options.OnTimeout = ""
	}
}

func (o *forkOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	sb, err := c.Fork(ctx, o.id, &o.sandbox.options)
	if err != nil {
		return err
	}
	if !o.app.global.json {
		_, err := fmt.Fprintln(o.app.Stdout, sb.ID())
		return err
	}
	info, err := sb.Info(ctx)
	if err != nil {
		return err
	}
	return o.app.printJSON(newSandboxJSON(info))
}
