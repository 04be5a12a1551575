package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// sandboxJSON is a sandbox in the output of --json. It is a promise: fields
// may be added and none changed.
type sandboxJSON struct {
	ID        string                `json:"id"`
	Name      string                `json:"name"` // empty: none
	Image     string                `json:"image"`
	State     quixand.State         `json:"state"`
	Created   time.Time             `json:"created"`
	Adapter   string                `json:"adapter"`
	Root      string                `json:"root"`
	Workdir   string                `json:"workdir"`
	Network   quixand.Network       `json:"network"`
	Ports     []quixand.PortMapping `json:"ports"`
	Metadata  map[string]string     `json:"metadata"`
	Resources resourcesJSON         `json:"resources"`
	Snapshot  string                `json:"snapshot,omitempty"` // that it was created from
	Fork      string                `json:"fork,omitempty"`     // id of the sandbox that it is a fork of
	User      string                `json:"user,omitempty"`     // empty: the usual one
	Sudo      bool                  `json:"sudo,omitempty"`
	Cursor    string                `json:"cursor,omitempty"` // in lists, for --after
}

// resourcesJSON has null for what is not limited.
type resourcesJSON struct {
	MemoryBytes *int64   `json:"memoryBytes"`
	CPUs        *float64 `json:"cpus"`
	PIDs        *int64   `json:"pids"`
}

func newSandboxJSON(i *quixand.Info) sandboxJSON {
	out := sandboxJSON{
		ID: i.ID, Name: i.Name, Image: i.Image, State: i.State, Created: i.Created.UTC(), Adapter: i.Adapter, Root: i.Root,
		Workdir: i.Workdir, Network: i.Network, Ports: i.Ports, Metadata: i.Metadata,
		Snapshot: i.Snapshot, Fork: i.Fork, User: i.User, Sudo: i.Sudo,
		Resources: resourcesJSON{
			MemoryBytes: limit(i.Resources.MemoryBytes),
			CPUs:        limit(i.Resources.CPUs),
			PIDs:        limit(i.Resources.PIDs),
		},
	}
	if out.Ports == nil {
		out.Ports = []quixand.PortMapping{}
	}
	if out.Metadata == nil {
		out.Metadata = map[string]string{}
	}
	return out
}

func limit[T int64 | float64](n T) *T {
	if n == 0 {
		return nil
	}
	return &n
}

type listOptions struct {
	app   *App
	list  quixand.ListOptions
	ended bool
	quiet bool
}

func newListCmd(a *App) *cobra.Command {
	o := &listOptions{app: a}
	var states []string
	cmd := &cobra.Command{
		Use:               "ls [flags]",
		Aliases:           []string{"ps", "list"},
		Short:             "List sandboxes, newest first",
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.selectStates(states); err != nil {
				return err
			}
			if o.ended && (o.list.Limit != 0 || o.list.After != "") {
				return usagef("--all excludes --limit and --after")
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.ended, "all", "a", false, "list those that have ended lately, too, and why")
	f.BoolVar(&o.list.AllRoots, "all-roots", false, "list those of your other Quixand roots, too")
	f.VarP(pairsValue{pairs: &o.list.Metadata}, "metadata", "m", "list those with this pair")
	f.VarP(pairsValue{pairs: &o.list.Labels}, "label", "l", "list those with this label")
	f.StringVar(&o.list.Name, "name", "", "list the one with this name")
	f.IntVar(&o.list.Limit, "limit", 0, "list so many at most, and say how to go on")
	f.StringVar(&o.list.After, "after", "", "go on behind this cursor, which the page before has told")
	f.StringSliceVar(&states, "state", nil, "list those in a state: creating, running, paused, stopped")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print only ids")
	return cmd
}

func (o *listOptions) selectStates(names []string) error {
	for _, name := range names {
		s := quixand.State(name)
		switch s {
		case adapters.StateCreating, adapters.StateRunning, adapters.StatePaused, adapters.StateStopped:
			o.list.States = append(o.list.States, s)
		default:
			return usagef("--state %q: must be creating, running, paused or stopped", name)
		}
	}
	return nil
}

func (o *listOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	infos, err := o.page(ctx, c)
	if err != nil {
		return err
	}
	var ended []*quixand.Ended
	if o.ended {
		if ended, err = o.endedBeside(ctx, c, infos); err != nil {
			return err
		}
		// What has ended may be with the engine for a moment longer.
		infos = slices.DeleteFunc(infos, func(i *quixand.Info) bool {
			return slices.ContainsFunc(ended, func(e *quixand.Ended) bool { return e.ID == i.ID })
		})
	}
	switch {
	case o.app.global.json:
		out := []any{}
		for _, info := range infos {
			row := newSandboxJSON(info)
			row.Cursor = info.Cursor()
			out = append(out, row)
		}
		for _, e := range ended {
			out = append(out, newEndedJSON(e))
		}
		return o.app.printJSON(out)
	case o.quiet:
		ids := []string{}
		for _, i := range infos {
			ids = append(ids, i.ID)
		}
		for _, e := range ended {
			ids = append(ids, e.ID)
		}
		return o.app.printLines(ids)
	}
	return o.printTable(infos, ended)
}

// page lists one page and tells how to come to the next, if there is one.
func (o *listOptions) page(ctx context.Context, c *quixand.Client) ([]*quixand.Info, error) {
	list := o.list
	if list.Limit > 0 {
		list.Limit++
	}
	infos, err := c.List(ctx, &list)
	if err != nil || o.list.Limit <= 0 || len(infos) <= o.list.Limit {
		return infos, err
	}
	infos = infos[:o.list.Limit]
	o.app.printf("qs: there are more: --limit %d --after %s\n", o.list.Limit, infos[len(infos)-1].Cursor())
	return infos, nil
}

// endedBeside lists the sandboxes that have ended and have the metadata that
// are asked for. One that is listed as anything but stopped has not ended.
func (o *listOptions) endedBeside(ctx context.Context, c *quixand.Client, listed []*quixand.Info) ([]*quixand.Ended, error) {
	ended, err := c.AllEnded(ctx)
	return slices.DeleteFunc(ended, func(e *quixand.Ended) bool {
		if len(o.list.Labels) > 0 || o.list.Name != "" && e.Name != o.list.Name {
			return true // labels go with the sandbox
		}
		for k, v := range o.list.Metadata {
			if got, ok := e.Metadata[k]; !ok || got != v {
				return true
			}
		}
		return slices.ContainsFunc(listed, func(i *quixand.Info) bool { return i.ID == e.ID && i.State != adapters.StateStopped })
	}), err
}

func (o *listOptions) printTable(infos []*quixand.Info, ended []*quixand.Ended) error {
	header := []string{"ID", "IMAGE", "STATE", "CREATED"}
	named := slices.ContainsFunc(infos, func(i *quixand.Info) bool { return i.Name != "" }) ||
		slices.ContainsFunc(ended, func(e *quixand.Ended) bool { return e.Name != "" })
	if named {
		header = slices.Insert(header, 1, "NAME")
	}
	if o.list.AllRoots {
		header = append(header, "ROOT")
	}
	t := o.app.newTable(header...)
	for _, i := range infos {
		cells := []string{i.ID, i.Image, string(i.State), relative(o.app.Now(), i.Created)}
		if named {
			cells = slices.Insert(cells, 1, i.Name)
		}
		if o.list.AllRoots {
			cells = append(cells, i.Root)
		}
		t.row(cells...)
	}
	for _, e := range ended {
		cells := rowOf(o.app.Now(), e)
		if named {
			cells = slices.Insert(cells, 1, e.Name)
		}
		if o.list.AllRoots {
			cells = append(cells, e.Root)
		}
		t.row(cells...)
	}
	return t.flush()
}
