package local

import (
	"context"
	"errors"
	"time"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// sweep removes what sandboxes and creations that died have left behind. The
// caller has just listed the sandboxes of this root, and maybe others.
func (a *Adapter) sweep(ctx context.Context, listed []*sandbox) {
	live := make(map[string]bool)
	for _, s := range listed {
		if s.info.Root != a.root {
			continue
		}
		live[s.info.ID] = true
		if s.abandoned() {
			a.sweepOne(ctx, s.info.ID)
		}
	}
	for _, id := range a.remembered() {
		if !live[id] {
			a.sweepOne(ctx, id)
			live[id] = true // once is enough
		}
	}
	if err := a.graves.Prune(); err != nil {
		a.log.Debug("prune", "error", err)
	}
}

// remembered lists the sandboxes that have a directory or a record of their
// birth. After a restart of the host that record is all there is.
func (a *Adapter) remembered() []string {
	ids, err := a.dirs.IDs()
	births, err2 := a.graves.Births()
	if err = errors.Join(err, err2); err != nil {
		a.log.Debug("sweep", "error", err)
	}
	return append(ids, births...)
}

// longestCreation is longer than an engine takes from a container to its start.
const longestCreation = 2 * time.Minute

// abandoned says that nobody will ever use the sandbox, unless it is in the
// making: it was never started, or it has ended and the engine, which removes
// it then, has had its time or does not know.
func (s *sandbox) abandoned() bool {
	const enough = 30 * time.Second
	return s.info.State == adapters.StateCreating || s.Ended && (s.Stays || time.Since(s.EndedAt) > enough)
}

// sweepOne removes one sandbox's remains, unless somebody is at work on it.
// The claim comes before the look at the engine: the list from which it was
// taken for dead may be older than its creation. Where the directory is gone
// nobody can be told from his claim, and what may be in the making is left for
// later.
func (a *Adapter) sweepOne(ctx context.Context, id string) {
	claim, err := a.dirs.Claim(id)
	if errors.Is(err, statedir.ErrClaimed) {
		return
	}
	if err == nil {
		defer claim.Release()
	}
	s, err := a.find(ctx, id)
	switch {
	case err != nil:
	case s == nil:
		_, _ = a.bury(ctx, id, nil)
		if claim != nil {
			err = a.removeForgotten(ctx, id)
		}
	case claim == nil && s.info.State == adapters.StateCreating && time.Since(s.info.Created) < longestCreation:
		return
	case s.abandoned():
		if !s.alive() {
			_, _ = a.bury(ctx, id, s)
		}
		err = a.engine.Remove(ctx, s.Container)
	default:
		return
	}
	if err == nil {
		err = a.removeForkImage(ctx, id, "unknown, if any")
	}
	if err == nil && claim != nil {
		err = a.clear(ctx, id, claim)
	}
	a.log.Debug("swept", "sandbox", id, "error", err)
}
