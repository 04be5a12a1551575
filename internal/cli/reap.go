package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/timeouts"
)

type reapOptions struct {
	app  *App
	id   string
	note timeouts.Note
}

// newReapCmd makes the verb that systemd's timers start. Its flags are a
// message from one such start to the next.
func newReapCmd(a *App) *cobra.Command {
	o := &reapOptions{app: a}
	cmd := &cobra.Command{
		Use:   "reap [flags] ID",
		Short: "End a sandbox if its time is up",
		Long: `Look at a sandbox, end it if its time is up, and have it looked at again when
that may be so. systemd's timers run this; a sandbox that is gone is no error.`,
		Hidden:            true,
		Args:              nargs(1, 1, "ID"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.Int64Var((*int64)(&o.note.Idle), "idle", 0, "idle timeout when the agent was last heard of, in ns")
	f.Int64Var((*int64)(&o.note.SilentSince), "silent-since", 0, "when the agent was first found silent, in ns since the boot")
	return cmd
}

// reapTimeout is less than systemd gives it.
const reapTimeout = 90 * time.Second

func (o *reapOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reapTimeout)
	defer cancel()
	return c.Reap(ctx, o.id, o.note)
}
