package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// RemoveTree empties a directory in which root of a sandbox has closed others. It
// takes a rootful daemon's root for that, who runs the agent's program in a
// container of any image: the program needs nothing of it.
func (e *engine) RemoveTree(ctx context.Context, dir string) error {
	conn, err := e.use(ctx)
	if err != nil {
		return err
	}
	agent, err := e.agent.Find(ctx)
	if err != nil {
		return err
	}
	image, err := conn.anyImage(ctx)
	if err != nil {
		return err
	}
	made, err := conn.ContainerCreate(ctx, cleaner(image, agent, dir))
	if err != nil {
		return mapError(err)
	}
	removed := conn.exit(ctx, made.ID, container.WaitConditionRemoved)
	if _, err := conn.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
		return mapError(err)
	}
	code, err := await(ctx, removed)
	if err == nil && code != 0 {
		err = fmt.Errorf("empty %s in a container: exit code %d", dir, code)
	}
	return mapError(err)
}

// cleaner is a container that empties a directory.
func cleaner(image, agent, dir string) client.ContainerCreateOptions {
	return client.ContainerCreateOptions{
		Config: &container.Config{
			Image: image, User: "0:0", WorkingDir: "/", Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
			Entrypoint: []string{agentapi.BinaryPath}, Cmd: []string{agentapi.VerbEmpty, agentapi.SocketDir},
		},
		HostConfig: &container.HostConfig{
			AutoRemove: true, NetworkMode: "none", SecurityOpt: []string{"no-new-privileges"},
			CapDrop: []string{"ALL"}, CapAdd: []string{"CAP_DAC_OVERRIDE", "CAP_FOWNER"},
			Mounts: []mount.Mount{
				{Type: mount.TypeBind, Source: agent, Target: agentapi.BinaryPath, ReadOnly: true},
				{Type: mount.TypeBind, Source: dir, Target: agentapi.SocketDir},
			},
		},
	}
}

// anyImage is one that the daemon has.
func (c *connection) anyImage(ctx context.Context) (string, error) {
	listed, err := c.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return "", mapError(err)
	}
	if len(listed.Items) == 0 {
		return "", &adapters.Error{Adapter: Name, Kind: adapters.ErrNotFound, Err: errors.New("the daemon has no image")}
	}
	return listed.Items[0].ID, nil
}
