package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/quixand"
)

// snapshotJSON is a snapshot in the output of --json. It is a promise, as
// sandboxJSON is.
type snapshotJSON struct {
	Name     string            `json:"name"`
	Created  time.Time         `json:"created"`
	Bytes    int64             `json:"bytes"`
	Sandbox  string            `json:"sandbox"`
	Image    string            `json:"image"`
	Workdir  string            `json:"workdir"`
	Metadata map[string]string `json:"metadata"`
}

func newSnapshotJSON(s *quixand.Snapshot) snapshotJSON {
	out := snapshotJSON{
		Name: s.Name, Created: s.Created.UTC(), Bytes: s.Bytes, Sandbox: s.Sandbox, Image: s.Image,
		Workdir: s.Workdir, Metadata: s.Metadata,
	}
	if out.Metadata == nil {
		out.Metadata = map[string]string{}
	}
	return out
}

func newSnapshotsCmd(a *App) *cobra.Command {
	return newGroupCmd("snapshots", "List and remove snapshots", newSnapshotsListCmd(a), newSnapshotsRemoveCmd(a))
}

type snapshotsListOptions struct {
	app   *App
	quiet bool
}

func newSnapshotsListCmd(a *App) *cobra.Command {
	o := &snapshotsListOptions{app: a}
	cmd := &cobra.Command{
		Use:               "ls [flags]",
		Aliases:           []string{"list"},
		Short:             "List snapshots, newest first",
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print only names")
	return cmd
}

func (o *snapshotsListOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	all, err := c.Snapshots(ctx)
	if err != nil {
		return err
	}
	if o.app.global.json {
		out := make([]snapshotJSON, len(all))
		for i, s := range all {
			out[i] = newSnapshotJSON(s)
		}
		return o.app.printJSON(out)
	}
	if o.quiet {
		for _, s := range all {
			if _, err := fmt.Fprintln(o.app.Stdout, termsafe.Line(s.Name)); err != nil {
				return err
			}
		}
		return nil
	}
	t := o.app.newTable("NAME", "IMAGE", "SANDBOX", "SIZE", "CREATED")
	for _, s := range all {
		t.row(s.Name, s.Image, s.Sandbox, size(s.Bytes), relative(o.app.Now(), s.Created))
	}
	return t.flush()
}

type snapshotsRemoveOptions struct {
	app   *App
	names []string
	quiet bool
}

func newSnapshotsRemoveCmd(a *App) *cobra.Command {
	o := &snapshotsRemoveOptions{app: a}
	cmd := &cobra.Command{
		Use:               "rm [flags] NAME...",
		Aliases:           []string{"remove"},
		Short:             "Remove snapshots",
		Args:              nargs(1, -1, "NAME"),
		ValidArgsFunction: a.completeSnapshot,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.names = args
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print nothing")
	return cmd
}

func (o *snapshotsRemoveOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	return o.app.doneTo(o.names, o.quiet, func(name string) error { return c.RemoveSnapshot(ctx, name) })
}

// completeSnapshot asks the engine, which alone knows, but not for long.
func (a *App) completeSnapshot(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionBudget)
	defer cancel()
	var match []string
	if c, err := a.client(); err == nil {
		all, _ := c.Snapshots(ctx)
		for _, s := range all {
			if strings.HasPrefix(s.Name, word) {
				match = append(match, s.Name)
			}
		}
	}
	return match, cobra.ShellCompDirectiveNoFileComp
}
