package podman

import (
	"bytes"
	"context"
	"errors"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Remove removes a container, whatever state the engine believes it to be in.
func (e *engine) Remove(ctx context.Context, c *local.Container) error {
	if c.State == adapters.StateCreating {
		e.endUnstarted(ctx, c.ID)
	}
	return e.remove(ctx, c.ID)
}

// remove kills a container without grace and removes it with all it has.
// Somebody else may do the same at this moment, the engine itself included
// when the agent has just ended: what counts is that it is gone.
func (e *engine) remove(ctx context.Context, container string) error {
	err := e.removeContainer(ctx, container)
	if err == nil || errors.Is(err, adapters.ErrNotFound) {
		return nil
	}
	if there, known := e.containerExists(ctx, container); known == nil && !there {
		return nil
	}
	return err
}

// endUnstarted ends what may run of a container that the engine does not know to
// have been started. An engine that dies in the middle of a start leaves a
// monitor behind, and a process that waits to be let go; when it comes back it
// removes the container and knows of neither. The runtime does.
func (e *engine) endUnstarted(ctx context.Context, container string) {
	runtime, err := e.runtimeOf(ctx, container)
	if err != nil {
		return // the engine forgets it at this moment
	}
	out, err := exec.CommandContext(ctx, runtime, "delete", "--force", container).CombinedOutput()
	e.log.Debug("ended what was not started", "container", container, "error", err, "output", string(bytes.TrimSpace(out)))
}

// RemoveForgotten removes what the engine's store still holds of a container
// that the engine does not know: it died while it made or removed it.
func (e *engine) RemoveForgotten(ctx context.Context, container string) error {
	found, err := e.listStored(ctx, container)
	if err != nil {
		return err
	}
	for _, stored := range found {
		if stored.State != "storage" { // somebody else's container, with a name like ours
			continue
		}
		if err := e.remove(ctx, stored.ID); err != nil {
			return err
		}
	}
	return nil
}

// List lists the containers that have all the labels.
func (e *engine) List(ctx context.Context, labels ...string) ([]local.Container, error) {
	listed, err := e.listContainers(ctx, labels...)
	if err != nil {
		return nil, err
	}
	found := make([]local.Container, len(listed))
	for i := range listed {
		found[i] = listed[i].neutral()
		e.discern(ctx, &found[i])
	}
	return found, nil
}

// discern corrects the engine about a container that it believes is running:
// without its monitor, a container runs for ever as far as Podman knows. The
// engine is asked only about processes that cannot be seen from here. It may be
// in another PID namespace.
func (e *engine) discern(ctx context.Context, c *local.Container) {
	if c.State == adapters.StateRunning && c.Pid > 0 && errors.Is(unix.Kill(c.Pid, 0), unix.ESRCH) && e.isDead(ctx, c.ID) {
		c.Ended, c.State = true, adapters.StateStopped
	}
}

// isDead reports whether the engine cannot look into a container that it
// believes is running.
func (e *engine) isDead(ctx context.Context, container string) bool {
	err := e.lookInside(ctx, container)
	return err != nil && !local.Unanswered(err) && ctx.Err() == nil
}
