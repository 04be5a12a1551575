package docker

import (
	"context"
	"errors"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Start starts a container's first process, and listens to it from before that:
// what it says and how it ends is gone with it.
func (e *engine) Start(ctx context.Context, id string) error {
	conn, err := e.use(ctx)
	if err != nil {
		return err
	}
	e.setBirth(id, conn.attend(ctx, id))
	if _, err := conn.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return mapError(err)
	}
	return nil
}

// Wait returns the exit code once a container has ended. One that was just
// started here is being listened to.
func (e *engine) Wait(ctx context.Context, id string) (int, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return 0, err
	}
	b := e.birthOf(id)
	if b == nil {
		return await(ctx, conn.exit(ctx, id, container.WaitConditionNotRunning))
	}
	code, err := await(ctx, b.end)
	if ctx.Err() != nil {
		e.setBirth(id, nil) // it lives, or nobody wants to know any more
	}
	return code, err
}

// LastWords returns the end of what the agent of a container that was just
// started has said, on one line.
func (e *engine) LastWords(_ context.Context, id, _ string) string {
	b := e.birthOf(id)
	if b == nil {
		return ""
	}
	defer e.setBirth(id, nil)
	return strings.Join(strings.FieldsFunc(b.said(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// Remove kills without grace and removes, volumes included. The daemon may be
// about to remove the container by itself, or somebody else may: what counts is
// that it is gone.
func (e *engine) Remove(ctx context.Context, c *local.Container) error {
	conn, err := e.use(ctx)
	if err != nil {
		return err
	}
	e.setBirth(c.ID, nil)
	_, err = conn.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	err = mapError(err)
	if err != nil && strings.Contains(err.Error(), "already in progress") {
		err = conn.removed(ctx, c.ID)
	}
	if errors.Is(err, adapters.ErrNotFound) {
		return nil
	}
	return err
}

// removed waits for the end of a removal.
func (c *connection) removed(ctx context.Context, id string) error {
	_, err := await(ctx, c.exit(ctx, id, container.WaitConditionRemoved))
	return err
}

// Pause freezes a container by its control group.
func (e *engine) Pause(ctx context.Context, id string) error {
	return e.do(ctx, func(c *connection) error {
		_, err := c.ContainerPause(ctx, id, client.ContainerPauseOptions{})
		return err
	})
}

// Unpause thaws a container.
func (e *engine) Unpause(ctx context.Context, id string) error {
	return e.do(ctx, func(c *connection) error {
		_, err := c.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
		return err
	})
}

// Rename gives a container another name.
func (e *engine) Rename(ctx context.Context, id, name string) error {
	return e.do(ctx, func(c *connection) error {
		_, err := c.ContainerRename(ctx, id, client.ContainerRenameOptions{NewName: name})
		return err
	})
}

// Commit makes an image of a container's file system.
func (e *engine) Commit(ctx context.Context, id, repo, tag string, pause bool) error {
	return e.do(ctx, func(c *connection) error {
		_, err := c.ContainerCommit(ctx, id, client.ContainerCommitOptions{Reference: repo + ":" + tag, NoPause: !pause})
		return err
	})
}

// do is one call of the daemon.
func (e *engine) do(ctx context.Context, call func(*connection) error) error {
	conn, err := e.use(ctx)
	if err != nil {
		return err
	}
	return mapError(call(conn))
}
