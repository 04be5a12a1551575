package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

type refreshOptions struct {
	app     *App
	id      string
	timeout time.Duration // zero: start the present one anew
	quiet   bool
}

func newRefreshTimeoutCmd(a *App) *cobra.Command {
	o := &refreshOptions{app: a}
	cmd := &cobra.Command{
		Use:   "refresh-timeout [flags] ID [DURATION]",
		Short: "Start a sandbox's idle timeout anew",
		Long: `Start a sandbox's idle timeout anew, or give it a new one: 90s, 5m, plain
seconds, or never.`,
		Args:              nargs(1, 2, "ID and DURATION"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			if len(args) == 2 {
				if err := (durationValue{d: &o.timeout, never: true}).Set(args[1]); err != nil {
					return usagef("DURATION: %v", err)
				}
			}
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print only the id")
	return cmd
}

func (o *refreshOptions) run(ctx context.Context) error {
	sb, err := o.app.connect(ctx, o.id)
	if err != nil {
		return err
	}
	if err := sb.RefreshTimeout(ctx, o.timeout); err != nil {
		return err
	}
	if o.quiet {
		_, err := fmt.Fprintln(o.app.Stdout, sb.ID())
		return err
	}
	status, err := sb.Status(ctx)
	if err != nil {
		return err
	}
	if o.app.global.json {
		return o.app.printJSON(struct {
			ID                 string    `json:"id"`
			IdleTimeoutSeconds *float64  `json:"idleTimeoutSeconds"`
			Deadline           time.Time `json:"deadline,omitzero"`
			LifetimeEnds       time.Time `json:"lifetimeEnds,omitzero"`
		}{sb.ID(), seconds(status.IdleTimeout), status.Deadline.UTC(), status.Lifetime.UTC()})
	}
	_, err = fmt.Fprintf(o.app.Stdout, "%s ends %s\n", sb.ID(), ends(o.app.Now(), status))
	return err
}
