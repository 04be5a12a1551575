package podman

import (
	"bytes"
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

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/adapters/contract"
)

// What the contract suite wants to know of Podman is asked with Podman's own
// CLI: another way than the one that is tested.
func podman(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "podman", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("podman %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

func open(cfg adapters.Config) (adapters.Adapter, error) { return New(cfg), nil }

// unreachable is an adapter for which nobody answers, and nobody is started.
func unreachable(cfg adapters.Config) (adapters.Adapter, error) {
	e := newEngine(cfg, cfg.Root)
	e.locate = func() (endpoint, error) {
		return endpoint{sockets: []string{filepath.Join(cfg.Root, "no-such.sock")}}, nil
	}
	return over(cfg, e), nil
}

// available says why Podman or the image cannot be used. It also points to the
// agent that `make build` left in the checkout, for those who call go test alone.
func available(ctx context.Context) error {
	if built, err := filepath.Abs("../../../bin/qs-agent"); err == nil && os.Getenv("QS_AGENT") == "" {
		if _, err := os.Stat(built); err == nil {
			os.Setenv("QS_AGENT", built)
		}
	}
	if os.Getenv("QS_IMAGE") == "" {
		return errors.New("QS_IMAGE names no image: run the tests with hack/with-host")
	}
	if os.Getuid() == 0 {
		return errors.New("rootless Podman needs an ordinary user: run the tests with hack/with-host")
	}
	_, err := podman(ctx, nil, "image", "exists", os.Getenv("QS_IMAGE"))
	return err
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

func importImage(ctx context.Context, name string, rootfs io.Reader) (string, func(context.Context) error, error) {
	image := "localhost/" + name
	_, err := podman(ctx, rootfs, "import", "--quiet", "-", image)
	remove := func(ctx context.Context) error {
		_, err := podman(ctx, nil, "image", "rm", image)
		return err
	}
	return image, remove, err
}

// stranger is a container of the user's own that has the name of a sandbox's, and
// even one of its labels.
func stranger(ctx context.Context, id string) (func(context.Context) (bool, error), func(context.Context) error, error) {
	name := local.ContainerName(id)
	_, err := podman(ctx, nil, "run", "--detach", "--name", name, "--label", local.LabelID+"="+id, "--network", "none",
		"--pull", "never", os.Getenv("QS_IMAGE"), "sleep", "1000")
	alive := func(ctx context.Context) (bool, error) {
		running, err := podman(ctx, nil, "inspect", "--format", "{{.State.Running}}", name)
		return running == "true", err
	}
	remove := func(ctx context.Context) error {
		_, err := podman(ctx, nil, "rm", "--force", "--time", "0", name)
		return err
	}
	return alive, remove, err
}

func inspect(ctx context.Context, id string) (string, error) {
	return podman(ctx, nil, "inspect", local.ContainerName(id))
}

// marks are the container's id, which conmon and the runtime are started with,
// and the network namespace, which pasta and slirp4netns are.
func marks(ctx context.Context, id string) ([]string, error) {
	text, err := inspect(ctx, id)
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

// leftovers are containers of the root in whatever state, images that were made
// of them, and processes that serve a network namespace that is gone.
func leftovers(ctx context.Context, root string) ([]string, error) {
	containers, err := podman(ctx, nil, "ps", "--all", "--filter", "label="+local.LabelRoot+"="+root, "--format", "{{.ID}} {{.Names}}")
	if err != nil {
		return nil, err
	}
	images, err := podman(ctx, nil, "images", "--all", "--filter", "label="+local.LabelRoot+"="+root, "--format", "{{.ID}} {{.Names}}")
	if err != nil {
		return nil, err
	}
	left := strings.FieldsFunc(containers+"\n"+images, func(r rune) bool { return r == '\n' })
	return append(left, widowedNetworks()...), nil
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
