package docker

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/internal/local/enginetest"
	"github.com/quixand/quixand/pkg/adapters"
)

const cli enginetest.CLI = "docker"

func open(cfg adapters.Config) (adapters.Adapter, error) { return New(cfg), nil }

// unreachable is an adapter for which nobody answers.
func unreachable(cfg adapters.Config) (adapters.Adapter, error) {
	e := newEngine(cfg)
	e.locate = func() (endpoint, error) {
		host := "unix://" + filepath.Join(cfg.Root, "no-such.sock")
		return endpoint{host, "a test", []client.Opt{client.WithHost(host)}}, nil
	}
	return over(cfg, e), nil
}

// deviations are cases that look for what there is not, by their text.
func deviations() map[string]string {
	known := map[string]string{
		"death is told of a sandbox whose lifetime was over": "a call finds it overdue before its agent does, which counts from when the daemon has started it",
		"fork leaves nothing when it ends, however it ends":  "the daemon removes no image with its container; the next list does",
	}
	const plain = "the daemon itself says which registries do without TLS: those on its loopback do"
	known["registries fail in one line to pull: one without TLS, unless allowed"] = plain
	known["registries fail in one line to push: one without TLS, unless allowed"] = plain
	known["registries name the tags that there are in place of one that is not"] = "the daemon lists no tags of a registry"
	const patient = "the daemon tries five times, for a minute, before it gives a push up"
	known["registries fail in one line to push: one that denies"] = patient
	known["registries fail in one line to push: one that fails"] = patient
	known["registries fail in one line to push: one that is something else"] = patient
	if os.Getenv(dataPlaneVariable) == "exec" {
		known["events tell all the life of one that is killed at once"] = "its agent is gone before an exec leads to it"
		known["find connect needs no engine"] = "the exec is the engine's"
		known["name needs no engine to be found"] = "the exec is the engine's"
	}
	if !local.UnifiedCgroups() || !hasController("memory") {
		known["security does not even let root change its control group"] = "above the controllers of cgroup v1, which are closed, runc mounts an open tmpfs"
	}
	return known
}

// hasController reports whether this host's v2 hierarchy has a controller.
func hasController(name string) bool {
	text, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	return err == nil && slices.Contains(strings.Fields(string(text)), name)
}

// marks are the container's id, which its shim is started with.
func marks(ctx context.Context, id string) ([]string, error) {
	found, err := cli.Run(ctx, nil, "inspect", "--format", "{{.Id}}", local.ContainerName(id))
	return []string{found}, err
}
