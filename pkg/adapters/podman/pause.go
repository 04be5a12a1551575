package podman

import "context"

// Pause freezes every process of the sandbox by its control group.
func (a *Adapter) Pause(ctx context.Context, id string) error {
	conn, s, err := a.existing(ctx, id)
	if err != nil {
		return err
	}
	return mapError(conn.pauseContainer(ctx, s.ID))
}

// Resume thaws the sandbox and starts its idle time anew: the agent's clock has
// gone on meanwhile. The agent gives whoever thaws it a moment to say so
// before it ends for idleness.
func (a *Adapter) Resume(ctx context.Context, id string) error {
	conn, s, err := a.existing(ctx, id)
	if err != nil {
		return err
	}
	if err := conn.unpauseContainer(ctx, s.ID); err != nil {
		return mapError(err)
	}
	return a.SetDeadline(ctx, id, 0)
}
