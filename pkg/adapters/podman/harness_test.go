package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/quixand/quixand/internal/local/enginetest"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/adapters/contract"
)

// podman runs a command of Podman's.
func podman(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	return cli.Run(ctx, stdin, args...)
}

const cli enginetest.CLI = "podman"

func open(cfg adapters.Config) (adapters.Adapter, error) { return New(cfg), nil }

// unreachable is an adapter for which nobody answers, and nobody is started.
func unreachable(cfg adapters.Config) (adapters.Adapter, error) {
	e := newEngine(cfg, cfg.Root)
	e.locate = func() (endpoint, error) {
		return endpoint{sockets: []string{filepath.Join(cfg.Root, "no-such.sock")}}, nil
	}
	return over(cfg, e), nil
}

// enforced lists the limits that this user's containers can have. systemd says
// what it delegates; that is not where the adapter looks.
func enforced() []contract.Capability {
	unit := fmt.Sprintf("user@%d.service", os.Getuid())
	delegated, err := exec.Command("systemctl", "show", "--property=DelegateControllers", "--value", unit).Output()
	if err != nil {
		return nil
	}
	there, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		return nil
	}
	var caps []contract.Capability
	for controller, limit := range map[string]contract.Capability{
		"memory": contract.MemoryLimit, "cpu": contract.CPULimit, "pids": contract.PIDsLimit,
	} {
		if slices.Contains(strings.Fields(string(delegated)), controller) && slices.Contains(strings.Fields(string(there)), controller) {
			caps = append(caps, limit)
		}
	}
	return caps
}

// marks are the container's id, which conmon and the runtime are started with,
// and the network namespace, which pasta and slirp4netns are.
func marks(ctx context.Context, id string) ([]string, error) {
	text, err := cli.Inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	var containers []struct {
		ID              string `json:"Id"`
		NetworkSettings struct{ SandboxKey string }
	}
	if err := json.Unmarshal([]byte(text), &containers); err != nil {
		return nil, err
	}
	found := []string{containers[0].ID}
	if key := containers[0].NetworkSettings.SandboxKey; key != "" {
		found = append(found, key)
	}
	return found, nil
}

// leftovers are the engine's, and processes that serve a network namespace that is
// gone.
func leftovers(ctx context.Context, root string) ([]string, error) {
	left, err := cli.Leftovers(ctx, root)
	return append(left, widowedNetworks()...), err
}

// widowedNetworks lists the network helpers whose namespace has no file any more.
func widowedNetworks() []string {
	var left []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(string(cmdline), "\x00")
		i := slices.IndexFunc(args, func(arg string) bool { return filepath.Base(filepath.Dir(arg)) == "netns" })
		if helper := filepath.Base(args[0]); i < 0 || !strings.HasPrefix(helper, "pasta") && helper != "slirp4netns" {
			continue
		}
		if _, err := os.Stat(args[i]); errors.Is(err, os.ErrNotExist) {
			left = append(left, strings.Join(args, " "))
		}
	}
	return left
}
