package local

import (
	"context"
	"errors"
	"io/fs"

	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// Kill ends a sandbox of this root at once, in whatever state it is.
func (a *Adapter) Kill(ctx context.Context, id string, opts adapters.KillOptions) error {
	tail := func() string { return "" }
	if !opts.NoWait {
		tail = a.askTail(ctx, id)
	}
	s, err := a.find(ctx, id)
	output := tail()
	if err != nil {
		return err
	}
	if s == nil {
		_, _ = a.bury(ctx, id, nil)
		if err := a.tidyForgotten(ctx, id); err != nil {
			return a.mapError(err)
		}
		return a.notFound(id)
	}
	if !s.alive() || opts.Reason != adapters.ReasonKilled && a.saidWhy(id) {
		// The engine is about to remove it, and somebody else knows why.
		_, _ = a.bury(ctx, id, s)
	} else {
		a.buryKilled(s, opts, output)
	}
	settle, err := a.end(ctx, s.Container, !opts.NoWait)
	if err != nil {
		_ = a.graves.Forget(id)
	} else if err = a.removeForkImage(ctx, id, s.info.Fork); err == nil {
		err = a.tidy(ctx, id)
	}
	settle(ctx, err == nil && !opts.NoWait)
	return a.mapError(err)
}

// saidWhy reports whether the agent has left word of its end. Two who keep the
// same time are about to end the sandbox at once, and until the engine has seen
// that the agent has ended, which takes Docker a tenth of a second, it is the
// only one who knows.
func (a *Adapter) saidWhy(id string) bool {
	_, err := agentsock.ReadEnd(a.dirs.Sandbox(id))
	return err == nil
}

// end ends a container and removes it.
func (a *Adapter) end(ctx context.Context, c *Container, wait bool) (settle func(context.Context, bool), err error) {
	if k, ok := a.engine.(Killer); ok {
		return k.Kill(ctx, c, wait)
	}
	return func(context.Context, bool) {}, a.engine.Remove(ctx, c)
}

// removeForgotten removes what the engine may still hold of a sandbox that it
// does not know. The caller has a claim on the sandbox's id, which is all that
// tells whose it is.
func (a *Adapter) removeForgotten(ctx context.Context, id string) error {
	if f, ok := a.engine.(Forgetter); ok {
		return f.RemoveForgotten(ctx, ContainerName(id))
	}
	return nil
}

// tidyForgotten is tidy for a sandbox that the engine does not know any more.
func (a *Adapter) tidyForgotten(ctx context.Context, id string) error {
	return a.claimed(id, func(claim *statedir.Claim) error {
		if err := a.removeForgotten(ctx, id); err != nil {
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
// there that belong to other ids than the user's, closed to the user.
func (a *Adapter) clear(ctx context.Context, id string, claim *statedir.Claim) error {
	err := claim.Remove()
	cleaner, ok := a.engine.(Cleaner)
	if !ok || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if cannot := cleaner.RemoveTree(ctx, a.dirs.Sandbox(id)); cannot != nil {
		return errors.Join(err, cannot)
	}
	return claim.Remove()
}
