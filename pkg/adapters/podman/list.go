package podman

import (
	"context"
	"fmt"
	"slices"

	"github.com/quixand/quixand/pkg/adapters"
)

// Get describes one sandbox of this root.
func (a *Adapter) Get(ctx context.Context, id string) (*adapters.Info, error) {
	_, s, err := a.existing(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.info, nil
}

// existing finds a sandbox of this root that has to be there.
func (a *Adapter) existing(ctx context.Context, id string) (*connection, *sandbox, error) {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := conn.find(ctx, a.root, id)
	if err != nil {
		return nil, nil, mapError(err)
	}
	if s == nil {
		return nil, nil, notFound(id)
	}
	return conn, s, nil
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
	a.thaw(ctx, conn, found)
	var infos []*adapters.Info
	for _, s := range found {
		if selects(filter, s.info) {
			infos = append(infos, s.info)
		}
	}
	slices.SortStableFunc(infos, func(x, y *adapters.Info) int { return y.Created.Compare(x.Created) })
	if filter.Root == a.root || filter.AllRoots {
		a.noteNames(found)
		a.sweep(ctx, conn, found)
		a.sweepBuilds(ctx, conn)
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

// sandbox is a container of ours, and what its labels say.
type sandbox struct {
	*container
	info *adapters.Info
	dead bool // which the engine does not know
}

// find returns one sandbox, or nil.
func (c *connection) find(ctx context.Context, root, id string) (*sandbox, error) {
	found, err := c.list(ctx, labelID+"="+id, labelRoot+"="+root)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// list returns the sandboxes whose containers have all the labels.
func (c *connection) list(ctx context.Context, labels ...string) ([]*sandbox, error) {
	listed, err := c.listContainers(ctx, labels...)
	if err != nil {
		return nil, err
	}
	var found []*sandbox
	for i := range listed {
		if s := sandboxFrom(&listed[i]); s != nil {
			found = append(found, s)
		}
	}
	c.discern(ctx, found)
	return found, nil
}

// sandboxFrom returns nil for a container that is not ours. An image can carry
// labels like ours, for instance one made from a sandbox, and its containers
// inherit them; but not the name.
func sandboxFrom(c *container) *sandbox {
	info, err := infoFrom(c.Labels)
	if err != nil || len(c.Names) == 0 {
		return nil
	}
	var ours bool
	if info.Name, ours = nameFrom(c.Names[0], info.ID); !ours {
		return nil
	}
	info.State = stateOf(c.State)
	for _, p := range c.Ports {
		info.Ports = append(info.Ports, adapters.PortMapping{Port: int(p.ContainerPort), HostPort: int(p.HostPort)})
	}
	return &sandbox{container: c, info: info}
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
