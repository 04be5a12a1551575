package docker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// List asks once, and once more about each container that has ended and is not
// removed yet.
func (e *engine) List(ctx context.Context, labels ...string) ([]local.Container, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	listed, err := conn.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", labels...)})
	if err != nil {
		return nil, mapError(err)
	}
	var found []local.Container
	for i := range listed.Items {
		c := neutral(&listed.Items[i])
		if c.Ended {
			err := conn.describeEnd(ctx, &c)
			if errors.Is(err, adapters.ErrNotFound) {
				continue // it has gone meanwhile
			}
			if err != nil {
				return nil, err
			}
		}
		found = append(found, c)
	}
	return found, nil
}

// neutral is the container in the words of all engines. Its process is the
// daemon's to signal, so its number is of no use here.
func neutral(c *container.Summary) local.Container {
	n := local.Container{ID: c.ID, Labels: c.Labels, State: stateOf(c.State), Stays: c.Labels[labelStreamed] != ""}
	n.Ended = n.State == adapters.StateStopped
	if len(c.Names) > 0 {
		n.Name = strings.TrimPrefix(c.Names[0], "/")
	}
	return n
}

func stateOf(state container.ContainerState) adapters.State {
	switch state {
	case container.StateCreated:
		return adapters.StateCreating
	case container.StateRunning, container.StateRestarting:
		return adapters.StateRunning
	case container.StatePaused:
		return adapters.StatePaused
	default: // removing, exited, dead
		return adapters.StateStopped
	}
}

// describeEnd asks how a container has ended.
func (c *connection) describeEnd(ctx context.Context, ended *local.Container) error {
	told, err := c.ContainerInspect(ctx, ended.ID, client.ContainerInspectOptions{})
	if err != nil {
		return mapError(err)
	}
	if state := told.Container.State; state != nil {
		ended.ExitCode = state.ExitCode
		ended.EndedAt, _ = time.Parse(time.RFC3339Nano, state.FinishedAt)
	}
	return nil
}

// OutOfMemory reports whether the daemon has seen the kernel kill something of
// the container for want of memory.
func (e *engine) OutOfMemory(ctx context.Context, id string) (bool, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return false, err
	}
	told, err := conn.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return false, mapError(err)
	}
	return told.Container.State != nil && told.Container.State.OOMKilled, nil
}
