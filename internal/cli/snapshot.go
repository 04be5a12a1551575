package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

type snapshotOptions struct {
	app      *App
	id, name string
}

func newSnapshotCmd(a *App) *cobra.Command {
	o := &snapshotOptions{app: a}
	cmd := &cobra.Command{
		Use:   "snapshot [flags] ID",
		Short: "Keep a sandbox's files for sandboxes to come, and print the snapshot's name",
		Long: `Keep a sandbox's file system, with its workdir and metadata, and print the
snapshot's name. The sandbox stands still meanwhile and then goes on; processes,
memory and the environment are not kept.`,
		Example: `  qs snapshot $id --name ready
  qs create --snapshot ready
  qs snapshots ls`,
		Args:              nargs(1, 1, "ID"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.name, "name", "", "name of the snapshot (default a random one)")
	return cmd
}

func (o *snapshotOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	snap, err := c.Snapshot(ctx, o.id, o.name)
	if err != nil {
		return err
	}
	if o.app.global.json {
		return o.app.printJSON(newSnapshotJSON(snap))
	}
	_, err = fmt.Fprintln(o.app.Stdout, snap.Name)
	return err
}
