package podman

import (
	"bytes"
	"context"
	"errors"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/adapters"
)

// removeSandbox removes a sandbox's container, whatever state the engine
// believes it to be in.
func (a *Adapter) removeSandbox(ctx context.Context, conn *connection, s *sandbox) error {
	if s.info.State == adapters.StateCreating {
		a.endUnstarted(ctx, conn, s.ID)
	}
	return conn.remove(ctx, s.ID)
}

// endUnstarted ends what may run of a container that the engine does not know to
// have been started. An engine that dies in the middle of a start leaves a
// monitor behind, and a process that waits to be let go; when it comes back it
// removes the container and knows of neither. The runtime does.
func (a *Adapter) endUnstarted(ctx context.Context, conn *connection, container string) {
	runtime, err := conn.runtimeOf(ctx, container)
	if err != nil {
		return // the engine forgets it at this moment
	}
	out, err := exec.CommandContext(ctx, runtime, "delete", "--force", container).CombinedOutput()
	a.log.Debug("ended what was not started", "container", container, "error", err, "output", string(bytes.TrimSpace(out)))
}

// removeStored removes what the engine's store still holds of a sandbox that the
// engine does not know: it died while it made or removed the container. The
// caller has a claim on the sandbox's id, which is all that tells whose it is.
func (c *connection) removeStored(ctx context.Context, id string) error {
	found, err := c.listStored(ctx, id)
	if err != nil {
		return err
	}
	for _, stored := range found {
		if stored.State != "storage" { // somebody else's container, with a name like ours
			continue
		}
		if err := c.remove(ctx, stored.ID); err != nil {
			return err
		}
	}
	return nil
}

// discern corrects the engine about sandboxes that it believes are running:
// without its monitor, a container runs for ever as far as Podman knows. The
// engine is asked only about processes that cannot be seen from here. It may be
// in another PID namespace.
func (c *connection) discern(ctx context.Context, found []*sandbox) {
	for _, s := range found {
		if s.info.State == adapters.StateRunning && s.Pid > 0 && errors.Is(unix.Kill(s.Pid, 0), unix.ESRCH) && c.isDead(ctx, s.ID) {
			s.dead, s.info.State = true, adapters.StateStopped
		}
	}
}

// isDead reports whether the engine cannot look into a container that it
// believes is running.
func (c *connection) isDead(ctx context.Context, container string) bool {
	err := c.lookInside(ctx, container)
	_, silent := errors.AsType[*transportError](err)
	return err != nil && !silent && ctx.Err() == nil
}
