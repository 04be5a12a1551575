package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/quixand/quixand/pkg/adapters"
)

// Ended tells how a sandbox of this root has ended.
func (a *Adapter) Ended(ctx context.Context, id string) (*adapters.Ended, error) {
	if e, err := a.graves.Find(id); err == nil {
		return e, nil
	}
	s, err := a.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if s != nil && s.alive() {
		return nil, &adapters.Error{Adapter: a.name, ID: id, Kind: adapters.ErrNotFound, Err: errAlive}
	}
	return a.bury(ctx, id, s)
}

// alive says that the sandbox has not ended, by the engine's word and by ours.
func (s *sandbox) alive() bool { return !s.Ended }

var errAlive = errors.New("the sandbox has not ended")

// AllEnded tells of all sandboxes of this root that have ended lately. Those of
// which it is not known yet are looked for by List.
func (a *Adapter) AllEnded(ctx context.Context) ([]*adapters.Ended, error) {
	if _, err := a.List(ctx, adapters.Filter{Root: a.root}); err != nil {
		return nil, err
	}
	all, err := a.graves.All()
	if err != nil {
		return nil, a.mapError(err)
	}
	return all, nil
}

// AwaitEnded waits until a sandbox of this root has ended, and tells how. The
// agent's end is an event; the engine, which is asked then, looks for the
// container's end several times a second.
func (a *Adapter) AwaitEnded(ctx context.Context, id string) (*adapters.Ended, error) {
	for {
		e, err := a.Ended(ctx, id)
		if err == nil || !errors.Is(err, errAlive) {
			return e, err
		}
		if err := a.awaitEnd(ctx, id); err != nil {
			return nil, err
		}
	}
}

func (a *Adapter) awaitEnd(ctx context.Context, id string) error {
	// Paused, or without a socket, the agent does not tell.
	_ = a.client(id).AwaitEnd(ctx)
	s, err := a.find(ctx, id)
	if err != nil || s == nil || !s.alive() {
		return err
	}
	_, err = a.engine.Wait(ctx, s.ID)
	if ctx.Err() != nil {
		return fmt.Errorf("waiting for the end of sandbox %s: %w", id, context.Cause(ctx))
	}
	if errors.Is(err, adapters.ErrNotFound) {
		return nil
	}
	return err
}
