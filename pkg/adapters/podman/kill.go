package podman

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// Kill ends a sandbox of this root at once, in whatever state it is.
func (a *Adapter) Kill(ctx context.Context, id string, opts adapters.KillOptions) error {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return err
	}
	tail := func() string { return "" }
	if !opts.NoWait {
		tail = a.askTail(ctx, id)
	}
	s, err := conn.find(ctx, a.root, id)
	output := tail()
	if err != nil {
		return mapError(err)
	}
	if s == nil {
		_, _ = a.bury(ctx, conn, id, nil)
		if err := a.tidyForgotten(ctx, conn, id); err != nil {
			return mapError(err)
		}
		return notFound(id)
	}
	if !s.alive() {
		// The engine is about to remove it, and somebody else knows why.
		_, _ = a.bury(ctx, conn, id, s)
	} else {
		a.buryKilled(s, opts, output)
	}
	monitor := monitorOf(s.ID, s.Pid)
	defer monitor.close()
	if opts.NoWait {
		monitor.stepBack()
	}
	if s.info.State != adapters.StatePaused {
		// The engine believes what is paused to be alive until it has killed it
		// itself, and fails when it cannot.
		monitor.kill(ctx)
	}
	err = a.removeSandbox(ctx, conn, s)
	if errors.Is(mapError(err), adapters.ErrExhausted) {
		full := conn.removeFromFull(ctx, s.ID, monitor)
		a.log.Info("removed from a full disk", "sandbox", id, "full", err, "error", full)
		if full == nil {
			err = nil
		}
	}
	if err != nil {
		_ = a.graves.Forget(id)
		return mapError(err)
	}
	if err := a.removeForkImage(ctx, conn, id, s.info.Fork); err != nil {
		return mapError(err)
	}
	if err := a.tidy(ctx, id); err != nil {
		return mapError(err)
	}
	if !opts.NoWait {
		monitor.wait(ctx)
	}
	return nil
}

// remove kills a container without grace and removes it with all it has.
// Somebody else may do the same at this moment, the engine itself included
// when the agent has just ended: what counts is that it is gone.
func (c *connection) remove(ctx context.Context, container string) error {
	err := c.removeContainer(ctx, container)
	if err == nil || errors.Is(mapError(err), adapters.ErrNotFound) {
		return nil
	}
	if there, known := c.containerExists(ctx, container); known == nil && !there {
		return nil
	}
	return err
}

// tidyForgotten is tidy for a sandbox that the engine does not know any more.
func (a *Adapter) tidyForgotten(ctx context.Context, conn *connection, id string) error {
	return a.claimed(id, func(claim *statedir.Claim) error {
		if err := conn.removeStored(ctx, id); err != nil {
			return err
		}
		return a.clear(ctx, id, claim)
	})
}

// tidy removes the directory of a sandbox that is gone.
func (a *Adapter) tidy(ctx context.Context, id string) error {
	return a.claimed(id, func(claim *statedir.Claim) error { return a.clear(ctx, id, claim) })
}

// claimed does something with a sandbox's directory. One that somebody is at work
// on is left to them.
func (a *Adapter) claimed(id string, do func(*statedir.Claim) error) error {
	claim, err := a.dirs.Claim(id)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, statedir.ErrClaimed) {
		return nil
	}
	if err != nil {
		return err
	}
	defer claim.Release()
	return do(claim)
}

// clear removes the directory of a dead sandbox. Its root can leave files in
// there that belong to other ids of the user's range, closed to the user; then
// it takes the range's root to remove them.
func (a *Adapter) clear(ctx context.Context, id string, claim *statedir.Claim) error {
	err := claim.Remove()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if _, cli := unshared(ctx, "rm", "-rf", "--", a.dirs.Sandbox(id)); cli != nil {
		return fmt.Errorf("%w; %w", err, cli)
	}
	return claim.Remove()
}
