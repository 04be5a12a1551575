package podman

import (
	"context"
	"errors"
	"time"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// abandoned is how long a container may be over and not removed: longer than
// the engine takes to do that by itself.
const abandoned = 30 * time.Second

// sweep removes what sandboxes and creations that died have left behind. The
// caller has just listed the containers of this root.
func (a *Adapter) sweep(ctx context.Context, conn *connection, listed []container) {
	live := make(map[string]bool)
	for i := range listed {
		c := &listed[i]
		if c.Labels[labelRoot] != a.root {
			continue
		}
		id := c.Labels[labelID]
		live[id] = true
		switch over := c.Exited && time.Since(time.Unix(c.ExitedAt, 0)) > abandoned; {
		case over, stateOf(c.State) == adapters.StateCreating:
			a.sweepOne(ctx, conn, id, true)
		}
	}
	ids, err := a.dirs.IDs()
	if err != nil {
		a.log.Debug("sweep", "error", err)
	}
	for _, id := range ids {
		if !live[id] {
			a.sweepOne(ctx, conn, id, false)
		}
	}
}

// sweepOne removes one sandbox's remains, unless somebody is at work on it.
// The claim comes before the look at the engine: the list from which it was
// taken for dead may be older than its creation.
func (a *Adapter) sweepOne(ctx context.Context, conn *connection, id string, container bool) {
	claim, err := a.dirs.Claim(id)
	if errors.Is(err, statedir.ErrClaimed) {
		return
	}
	if err == nil {
		defer claim.Release()
	}
	c, err := conn.find(ctx, a.root, id)
	if err == nil && c != nil {
		if !container || stateOf(c.State) == adapters.StateRunning || stateOf(c.State) == adapters.StatePaused {
			return
		}
		err = conn.remove(ctx, c.ID)
	}
	if err == nil && claim != nil {
		err = a.clear(ctx, id, claim)
	}
	a.log.Debug("swept", "sandbox", id, "error", err)
}
