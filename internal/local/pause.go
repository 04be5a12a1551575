package local

import (
	"context"

	"github.com/quixand/quixand/pkg/adapters"
)

// Pause freezes every process of the sandbox by its control group.
func (a *Adapter) Pause(ctx context.Context, id string) error {
	s, err := a.existing(ctx, id)
	if err != nil {
		return err
	}
	a.settle(id)
	return a.engine.Pause(ctx, s.ID)
}

// Resume thaws the sandbox and starts its idle time anew: the agent's clock has
// gone on meanwhile. The agent gives whoever thaws it a moment to say so
// before it ends for idleness.
func (a *Adapter) Resume(ctx context.Context, id string) error {
	s, err := a.existing(ctx, id)
	if err != nil {
		return err
	}
	if err := a.engine.Unpause(ctx, s.ID); err != nil {
		return err
	}
	a.settle(id)
	return a.SetDeadline(ctx, id, 0)
}

// thaw lets those go on that a snapshot has frozen, and that nobody was left to
// thaw: neither the engine, whose task it was, nor the process that asked for it.
func (a *Adapter) thaw(ctx context.Context, listed []*sandbox) {
	for _, s := range listed {
		if s.info.State != adapters.StatePaused || s.info.Root != a.root || !a.dirs.LeftFrozen(s.info.ID) {
			continue
		}
		err := a.engine.Unpause(ctx, s.ID)
		if err == nil {
			s.info.State = adapters.StateRunning
			a.settle(s.info.ID)
		}
		a.log.Info("thawed what a snapshot had left frozen", "sandbox", s.info.ID, "error", err)
	}
}

// settle forgets what a snapshot may have noted: from now on the sandbox is as
// somebody wants it to be.
func (a *Adapter) settle(id string) {
	if err := a.dirs.Thawed(id); err != nil {
		a.log.Debug("a note is left", "sandbox", id, "error", err)
	}
}
