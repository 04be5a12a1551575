package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Create makes a container, and sees that the agent is in it.
func (e *engine) Create(ctx context.Context, c *local.Spec) (string, error) {
	if len(c.Ports) > 0 {
		return "", &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnsupported,
			Err:  errors.New("ports cannot be published with Docker: the network that their answers take is closed to sandboxes"),
			Hint: "expose the port instead: qs expose",
		}
	}
	conn, err := e.use(ctx)
	if err != nil {
		return "", err
	}
	options := optionsFor(c)
	if c.Dir == "" {
		if err := e.stream(ctx, conn, c, &options); err != nil {
			return "", err
		}
	}
	if e.runtime != "" {
		options.HostConfig.Runtime = e.runtime
	}
	made, err := conn.ContainerCreate(ctx, options)
	if err != nil {
		return "", mapError(err)
	}
	for _, warning := range made.Warnings {
		e.log.Warn("the engine warns", "container", c.Name, "warning", warning)
	}
	return made.ID, nil
}

// stream changes what container is wanted where no directory can be shared.
func (e *engine) stream(ctx context.Context, conn *connection, c *local.Spec, options *client.ContainerCreateOptions) error {
	if err := conn.checkDelivery(); err != nil {
		return err
	}
	agent, err := e.deliver(ctx, conn, c.Image, c.Agent, c.Entrypoint)
	if err != nil {
		return err
	}
	options.HostConfig.Mounts = withSudo(c, agent)
	// What it has to say when it ends is in it, and nowhere else.
	options.HostConfig.AutoRemove = false
	options.Config.Labels = maps.Clone(c.Labels)
	options.Config.Labels[labelStreamed] = "true"
	return nil
}

// optionsFor says in Docker's words what container is wanted. It leaves nothing
// to the image or to the daemon's configuration on which the sandbox's isolation
// depends.
func optionsFor(c *local.Spec) client.ContainerCreateOptions {
	return client.ContainerCreateOptions{
		Name: c.Name,
		Config: &container.Config{
			Hostname:   c.Hostname,
			Labels:     c.Labels,
			Image:      c.Image,
			Entrypoint: []string{c.Entrypoint},
			Cmd:        c.Args,
			User:       "0:0",
			WorkingDir: "/", // the only one that every image has; the agent makes its own
			// An image's health checks would run a command in the sandbox for ever.
			Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
			// Who stops it by means of the engine asks first, so that the agent
			// can leave word of it. We do not.
			StopSignal: "SIGTERM", StopTimeout: new(2),
		},
		HostConfig: &container.HostConfig{
			NetworkMode:   networkMode(c.Network),
			ExtraHosts:    ownName(c),
			IpcMode:       container.IPCModePrivate,
			CgroupnsMode:  container.CgroupnsModePrivate,
			CapDrop:       []string{"ALL"},
			CapAdd:        c.Capabilities,
			SecurityOpt:   []string{"no-new-privileges"},
			RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
			AutoRemove:    true,
			Init:          new(false),
			Mounts:        mounts(c),
			Resources:     limits(c.Resources),
			LogConfig: container.LogConfig{
				Type:   "json-file",
				Config: map[string]string{"max-size": strconv.FormatInt(c.LogBytes, 10), "max-file": "1"},
			},
		},
	}
}

func networkMode(n adapters.Network) container.NetworkMode {
	if n == adapters.NetworkNone {
		return "none"
	}
	return "bridge"
}

// ownName makes a sandbox without a network know itself by name: the file is the
// daemon's, which writes names there only for networks.
func ownName(c *local.Spec) []string {
	if c.Network == adapters.NetworkNone {
		return []string{c.Hostname + ":127.0.0.1"}
	}
	return nil
}

// mounts are the agent and the directory in which its socket appears, where
// there is one to share.
func mounts(c *local.Spec) []mount.Mount {
	if c.Dir == "" {
		return nil
	}
	private := &mount.BindOptions{Propagation: mount.PropagationRPrivate}
	agent := mount.Mount{Type: mount.TypeBind, Source: c.Agent, Target: c.Entrypoint, ReadOnly: true, BindOptions: private}
	dir := mount.Mount{Type: mount.TypeBind, Source: c.Dir, Target: c.DirInside, BindOptions: private}
	return append(withSudo(c, agent), dir)
}

// withSudo mounts the agent once more where sudo is asked for.
func withSudo(c *local.Spec, agent mount.Mount) []mount.Mount {
	if c.Sudo == "" {
		return []mount.Mount{agent}
	}
	again := agent
	again.Target = c.Sudo
	return []mount.Mount{agent, again}
}

// limits are exact: memory includes what would be swapped out.
func limits(want adapters.Resources) container.Resources {
	var r container.Resources
	if want.PIDs != 0 {
		r.PidsLimit = new(want.PIDs)
	}
	if want.MemoryBytes != 0 {
		r.Memory, r.MemorySwap = want.MemoryBytes, want.MemoryBytes
	}
	if want.CPUs != 0 {
		r.NanoCPUs = int64(math.Round(want.CPUs * 1e9))
	}
	return r
}

// notFound is a container or image that the daemon does not have.
func notFound(format string, args ...any) error {
	return &adapters.Error{Adapter: Name, Kind: adapters.ErrNotFound, Err: fmt.Errorf(format, args...)}
}
