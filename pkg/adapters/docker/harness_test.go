package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// What the contract suite wants to know of Docker is asked with Docker's own
// CLI: another way than the one that is tested.
func docker(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

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

// available says why Docker or the image cannot be used. It also points to the
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
		return errors.New("the tests are an ordinary user's: run them with hack/with-host")
	}
	_, err := docker(ctx, nil, "image", "inspect", "--format", "{{.Id}}", os.Getenv("QS_IMAGE"))
	return err
}

// deviations are cases that look for what there is not, by their text.
func deviations() map[string]string {
	const gone = "no last words are left where no directory is shared: the daemon removes all with the container"
	known := map[string]string{
		"death is told of a sandbox whose lifetime was over": "a call finds it overdue before its agent does, which counts from when the daemon has started it",
		"fork leaves nothing when it ends, however it ends":  "the daemon removes no image with its container; the next list does",
	}
	if os.Getenv(dataPlaneVariable) == "exec" {
		known["death is told of a sandbox that was idle"] = gone
		known["death is told of a sandbox whose creator is gone"] = gone
		known["death is told of a sandbox that was killed, with by whom and its last words"] = "an exec is not there as soon as a kill wants to have last words"
		known["find connect needs no engine"] = "the exec is the engine's"
		known["name needs no engine to be found"] = "the exec is the engine's"
		const deaf = "the journal is listened to once the agent's socket appears here"
		known["events tell the life of a sandbox, whoever causes them"] = deaf
		known["events tell when the time of a sandbox is up"] = deaf
		known["events tell of pauses"] = deaf
		known["events tell what has happened before"] = deaf
		known["events lose nothing to a slow listener"] = deaf
	}
	if !local.UnifiedCgroups() || !hasController("memory") {
		const v1 = "it looks into files of cgroup v2, and the daemon's controllers are of v1"
		known["limits gives no more processor than was asked for"] = v1
		known["limits bounds processes where nobody asked"] = v1
		known["limits gives no more processes than were asked for"] = v1
		known["limits counts memory against the limit"] = v1
		known["limits tells that memory has run out, and for which command"] = "the agent counts by files of cgroup v2, and the daemon's controllers are of v1"
		known["limits tells of a sandbox that memory has run out for"] = "the daemon tells of no such end where its controllers are of cgroup v1"
		known["security does not even let root change its control group"] = "above the controllers of cgroup v1, which are closed, runc mounts an open tmpfs"
	}
	return known
}

// hasController reports whether this host's v2 hierarchy has a controller.
func hasController(name string) bool {
	text, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	return err == nil && slices.Contains(strings.Fields(string(text)), name)
}

func importImage(ctx context.Context, name string, rootfs io.Reader) (string, func(context.Context) error, error) {
	image := "localhost/" + name
	_, err := docker(ctx, rootfs, "import", "-", image)
	remove := func(ctx context.Context) error {
		_, err := docker(ctx, nil, "image", "rm", image)
		return err
	}
	return image, remove, err
}

// stranger is a container of the user's own that has the name of a sandbox's, and
// even one of its labels.
func stranger(ctx context.Context, id string) (func(context.Context) (bool, error), func(context.Context) error, error) {
	name := local.ContainerName(id)
	_, err := docker(ctx, nil, "run", "--detach", "--name", name, "--label", local.LabelID+"="+id, "--network", "none",
		"--pull", "never", os.Getenv("QS_IMAGE"), "sleep", "1000")
	alive := func(ctx context.Context) (bool, error) {
		running, err := docker(ctx, nil, "inspect", "--format", "{{.State.Running}}", name)
		return running == "true", err
	}
	remove := func(ctx context.Context) error {
		_, err := docker(ctx, nil, "rm", "--force", name)
		return err
	}
	return alive, remove, err
}

func inspect(ctx context.Context, id string) (string, error) {
	return docker(ctx, nil, "inspect", local.ContainerName(id))
}

// marks are the container's id, which its shim is started with.
func marks(ctx context.Context, id string) ([]string, error) {
	found, err := docker(ctx, nil, "inspect", "--format", "{{.Id}}", local.ContainerName(id))
	return []string{found}, err
}

// leftovers are containers of the root in whatever state, and images that were
// made of them.
func leftovers(ctx context.Context, root string) ([]string, error) {
	filter := "label=" + local.LabelRoot + "=" + root
	containers, err := docker(ctx, nil, "ps", "--all", "--filter", filter, "--format", "{{.ID}} {{.Names}}")
	if err != nil {
		return nil, err
	}
	images, err := docker(ctx, nil, "images", "--all", "--filter", filter, "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(containers+"\n"+images, func(r rune) bool { return r == '\n' }), nil
}
