// Package enginetest asks an engine on this machine by its own command line what
// the tests of its adapter want to know: another way than the one that is tested.
package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/quixand/quixand/internal/local"
)

// CLI is the name of an engine's program. Podman and Docker have the commands
// that are used here in common.
type CLI string

// Run runs a command of the engine's and returns what it prints, without white
// space around it.
func (c CLI) Run(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, string(c), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", c, args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// Available says why the engine or the image of QS_IMAGE cannot be used. It also
// points to the agent that `make build` left in the checkout, for those who call
// go test alone in the directory of an adapter.
func (c CLI) Available(ctx context.Context) error {
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
	_, err := c.Run(ctx, nil, "image", "inspect", "--format", "{{.Id}}", os.Getenv("QS_IMAGE"))
	return err
}

// BuiltQS is the qs that was built beside the agent under test, if any.
func BuiltQS() string {
	qs := filepath.Join(filepath.Dir(os.Getenv("QS_AGENT")), "qs")
	if _, err := os.Stat(qs); err != nil || os.Getenv("QS_AGENT") == "" {
		return ""
	}
	return qs
}

// Import makes an image of a file system.
func (c CLI) Import(ctx context.Context, name string, rootfs io.Reader) (string, func(context.Context) error, error) {
	image := "localhost/" + name
	_, err := c.Run(ctx, rootfs, "import", "-", image)
	remove := func(ctx context.Context) error {
		_, err := c.Run(ctx, nil, "image", "rm", image)
		return err
	}
	return image, remove, err
}

// Stranger makes a container of the user's own that has the name of a sandbox's,
// and even one of its labels.
func (c CLI) Stranger(ctx context.Context, id string) (alive func(context.Context) (bool, error), remove func(context.Context) error, err error) {
	name := local.ContainerName(id)
	_, err = c.Run(ctx, nil, "run", "--detach", "--name", name, "--label", local.LabelID+"="+id, "--network", "none",
		"--pull", "never", os.Getenv("QS_IMAGE"), "sleep", "1000")
	alive = func(ctx context.Context) (bool, error) {
		running, err := c.Run(ctx, nil, "inspect", "--format", "{{.State.Running}}", name)
		return running == "true", err
	}
	remove = func(ctx context.Context) error {
		// Its first process minds no polite request to end.
		_, _ = c.Run(ctx, nil, "kill", name)
		_, err := c.Run(ctx, nil, "rm", "--force", name)
		return err
	}
	return alive, remove, err
}

// Inspect returns all that the engine tells of a sandbox's container.
func (c CLI) Inspect(ctx context.Context, id string) (string, error) {
	return c.Run(ctx, nil, "inspect", local.ContainerName(id))
}

// Leftovers are containers of the root in whatever state, and images that were
// made of them.
func (c CLI) Leftovers(ctx context.Context, root string) ([]string, error) {
	filter := "label=" + local.LabelRoot + "=" + root
	containers, err := c.Run(ctx, nil, "ps", "--all", "--filter", filter, "--format", "{{.ID}} {{.Names}}")
	if err != nil {
		return nil, err
	}
	images, err := c.Run(ctx, nil, "images", "--all", "--filter", filter, "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(containers+"\n"+images, func(r rune) bool { return r == '\n' }), nil
}
