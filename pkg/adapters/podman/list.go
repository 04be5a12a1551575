package podman

import (
	"context"
	"fmt"
	"slices"

	"github.com/quixand/quixand/pkg/adapters"
)

// Get describes one sandbox of this root.
func (a *Adapter) Get(ctx context.Context, id string) (*adapters.Info, error) {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return nil, err
	}
	c, err := conn.find(ctx, a.root, id)
	if err != nil {
		return nil, mapError(err)
	}
	if c == nil {
		return nil, notFound(id)
	}
	return describe(c), nil
}

func notFound(id string) error {
	return &adapters.Error{Adapter: Name, ID: id, Kind: adapters.ErrNotFound, Err: fmt.Errorf("no sandbox %s", id)}
}

// List describes the sandboxes that the filter selects. It asks the engine
// once, however many there are.
func (a *Adapter) List(ctx context.Context, filter adapters.Filter) ([]*adapters.Info, error) {
	if filter.Root == "" && !filter.AllRoots {
		return nil, nil
	}
	conn, err := a.engine.use(ctx)
	if err != nil {
		return nil, err
	}
	label := labelRoot
	if !filter.AllRoots {
		label += "=" + filter.Root
	}
	found, err := conn.list(ctx, label)
	if err != nil {
		return nil, mapError(err)
	}
	var infos []*adapters.Info
	for i := range found {
		if info := describe(&found[i]); selects(filter, info) {
			infos = append(infos, info)
		}
	}
	slices.SortStableFunc(infos, func(x, y *adapters.Info) int { return y.Created.Compare(x.Created) })
	if filter.Root == a.root || filter.AllRoots {
		a.sweep(ctx, conn, found)
	}
	return infos, nil
}

func selects(f adapters.Filter, info *adapters.Info) bool {
	if len(f.States) > 0 && !slices.Contains(f.States, info.State) {
		return false
	}
	for k, v := range f.Metadata {
		if got, ok := info.Metadata[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// find returns the container of one sandbox, or nil.
func (c *connection) find(ctx context.Context, root, id string) (*container, error) {
	found, err := c.list(ctx, labelID+"="+id, labelRoot+"="+root)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// list returns the containers with all the labels that are ours indeed. An
// image can carry such labels too, for instance one made from a sandbox, and
// its containers inherit them; but not the name.
func (c *connection) list(ctx context.Context, labels ...string) ([]container, error) {
	found, err := c.listContainers(ctx, labels...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(c container) bool {
		_, err := infoFrom(c.Labels)
		return err != nil || !slices.Contains(c.Names, containerName(c.Labels[labelID]))
	}), nil
}

// describe is for containers from list, whose labels can be read.
func describe(c *container) *adapters.Info {
	info, err := infoFrom(c.Labels)
	if err != nil {
		panic("podman: list let a stranger in: " + err.Error())
	}
	info.State = stateOf(c.State)
	for _, p := range c.Ports {
		info.Ports = append(info.Ports, adapters.PortMapping{Port: int(p.ContainerPort), HostPort: int(p.HostPort)})
	}
	return info
}

func stateOf(state string) adapters.State {
	switch state {
	case "configured", "created", "initialized":
		return adapters.StateCreating
	case "running":
		return adapters.StateRunning
	case "paused":
		return adapters.StatePaused
	default: // stopping, stopped, exited, removing, unknown
		return adapters.StateStopped
	}
}
