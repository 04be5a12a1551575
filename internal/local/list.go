package local

import (
	"context"
	"fmt"
	"slices"

	"github.com/quixand/quixand/pkg/adapters"
)

// Get describes one sandbox of this root.
func (a *Adapter) Get(ctx context.Context, id string) (*adapters.Info, error) {
	s, err := a.existing(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.info, nil
}

// existing finds a sandbox of this root that has to be there.
func (a *Adapter) existing(ctx context.Context, id string) (*sandbox, error) {
	s, err := a.find(ctx, id)
	if err == nil && s != nil && s.Ended && s.Stays {
		a.sweepOne(ctx, id)
		s = nil
	}
	if err == nil && s == nil {
		err = a.notFound(id)
	}
	return s, err
}

func (a *Adapter) notFound(id string) error {
	return &adapters.Error{Adapter: a.name, ID: id, Kind: adapters.ErrNotFound, Err: fmt.Errorf("no sandbox %s", id)}
}

// List describes the sandboxes that the filter selects. It asks the engine
// once, however many there are.
func (a *Adapter) List(ctx context.Context, filter adapters.Filter) ([]*adapters.Info, error) {
	if filter.Root == "" && !filter.AllRoots {
		return nil, nil
	}
	label := LabelRoot
	if !filter.AllRoots {
		label += "=" + filter.Root
	}
	found, err := a.list(ctx, label)
	if err != nil {
		return nil, err
	}
	a.thaw(ctx, found)
	var infos []*adapters.Info
	for _, s := range found {
		if selects(filter, s.info) {
			infos = append(infos, s.info)
		}
	}
	slices.SortStableFunc(infos, func(x, y *adapters.Info) int { return y.Created.Compare(x.Created) })
	if filter.Root == a.root || filter.AllRoots {
		a.noteNames(found)
		a.sweep(ctx, found)
		if s, ok := a.engine.(Sweeper); ok {
			s.Sweep(ctx)
		}
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
	*Container
	info *adapters.Info
}

// find returns one sandbox, or nil.
func (a *Adapter) find(ctx context.Context, id string) (*sandbox, error) {
	found, err := a.list(ctx, LabelID+"="+id, LabelRoot+"="+a.root)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// list returns the sandboxes whose containers have all the labels.
func (a *Adapter) list(ctx context.Context, labels ...string) ([]*sandbox, error) {
	listed, err := a.engine.List(ctx, labels...)
	if err != nil {
		return nil, err
	}
	var found []*sandbox
	for i := range listed {
		if s := a.sandboxFrom(&listed[i]); s != nil {
			found = append(found, s)
		}
	}
	return found, nil
}

// sandboxFrom returns nil for a container that is not ours. An image can carry
// labels like ours, for instance one made from a sandbox, and its containers
// inherit them; but not the name.
func (a *Adapter) sandboxFrom(c *Container) *sandbox {
	info, err := infoFrom(c.Labels)
	if err != nil {
		return nil
	}
	var ours bool
	if info.Name, ours = nameFrom(c.Name, info.ID); !ours {
		return nil
	}
	info.Adapter, info.State, info.Ports = a.name, c.State, c.Ports
	return &sandbox{c, info}
}
