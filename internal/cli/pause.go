package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

// freezeOptions are those of pause and of resume.
type freezeOptions struct {
	app   *App
	ids   []string
	quiet bool
	do    func(ctx context.Context, c *quixand.Client, id string) error
}

func newPauseCmd(a *App) *cobra.Command {
	o := &freezeOptions{app: a, do: func(ctx context.Context, c *quixand.Client, id string) error {
		return c.Pause(ctx, id)
	}}
	return o.command(&cobra.Command{
		Use:   "pause [flags] ID...",
		Short: "Freeze sandboxes where they are",
		Long: `Freeze every process of a sandbox where it is. It keeps its memory and uses no
processor time until qs resume. Its idle time stands still, its lifetime does not.`,
	})
}

func newResumeCmd(a *App) *cobra.Command {
	o := &freezeOptions{app: a, do: func(ctx context.Context, c *quixand.Client, id string) error {
		_, err := c.Resume(ctx, id)
		return err
	}}
	return o.command(&cobra.Command{
		Use:     "resume [flags] ID...",
		Aliases: []string{"unpause"},
		Short:   "Let paused sandboxes go on, with a full idle timeout",
	})
}

func (o *freezeOptions) command(cmd *cobra.Command) *cobra.Command {
	cmd.Args = nargs(1, -1, "ID")
	cmd.ValidArgsFunction = o.app.completeSandbox(-1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.ids = args
		return o.run(cmd.Context())
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print nothing")
	return cmd
}

func (o *freezeOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	return o.app.doneTo(o.ids, o.quiet, func(id string) error { return o.do(ctx, c, id) })
}
