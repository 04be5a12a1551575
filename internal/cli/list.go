package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
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
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.list.AllRoots, "all", "a", false, "list those of your other Quixand roots, too")
	f.VarP(pairsValue{pairs: &o.list.Metadata}, "metadata", "m", "list those with this pair")
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
	infos, err := c.List(ctx, &o.list)
	if err != nil {
		return err
	}
	switch {
	case o.app.global.json:
		out := make([]sandboxJSON, len(infos))
		for i, info := range infos {
			out[i] = newSandboxJSON(info)
		}
		return o.app.printJSON(out)
	case o.quiet:
		for _, i := range infos {
			if _, err := fmt.Fprintln(o.app.Stdout, termsafe.Line(i.ID)); err != nil {
				return err
			}
		}
		return nil
	}
	return o.printTable(infos)
}

func (o *listOptions) printTable(infos []*quixand.Info) error {
	header := []string{"ID", "IMAGE", "STATE", "CREATED"}
	named := slices.ContainsFunc(infos, func(i *quixand.Info) bool { return i.Name != "" })
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
	return t.flush()
}
