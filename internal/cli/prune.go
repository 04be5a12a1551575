package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

type pruneOptions struct {
	app   *App
	quiet bool
}

func newPruneCmd(a *App) *cobra.Command {
	o := &pruneOptions{app: a}
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "End sandboxes whose time is up, and remove what dead ones left",
		Long: `End the sandboxes whose time is up, and remove what dead ones and creations
that were cut short have left behind. Other verbs do so in passing, and what is
left goes in its own time: nothing depends on this one.`,
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print nothing")
	return cmd
}

func (o *pruneOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	pruned, err := c.Prune(ctx)
	if err != nil {
		return err
	}
	switch {
	case o.app.global.json:
		return o.app.printJSON(pruned)
	case o.quiet:
		return nil
	}
	t := o.app.newTable()
	for _, id := range pruned.Ended {
		t.row(id, "ended: its time was up")
	}
	for _, id := range pruned.Timers {
		t.row(id, "its timer was left")
	}
	for _, image := range pruned.Images {
		t.row(image, "its fork is gone")
	}
	if len(pruned.Ended)+len(pruned.Timers)+len(pruned.Images) == 0 {
		_, err := fmt.Fprintln(o.app.Stdout, "nothing was left")
		return err
	}
	return t.flush()
}
