//go:build containers_image_openpgp

// Podman's own client, the reference, needs this build tag and those of the
// Makefile.

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/api/handlers"
	"github.com/containers/podman/v5/pkg/bindings"
	"github.com/containers/podman/v5/pkg/bindings/containers"
	"github.com/containers/podman/v5/pkg/specgen"
	dockercontainer "github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"
)

// engine is the reference: Podman used directly, over REST and by its CLI.
type engine struct {
	conn context.Context // the bindings keep their connection in a context
}

func newEngine(ctx context.Context) (*engine, error) {
	uri := os.Getenv("CONTAINER_HOST")
	if uri == "" {
		uri = (&url.URL{Scheme: "unix", Path: filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman/podman.sock")}).String()
	}
	conn, err := bindings.NewConnection(ctx, uri)
	if err != nil {
		return nil, err
	}
	return &engine{conn}, nil
}

// start creates and starts a container with the image and the kind of network
// that a sandbox has.
func (e *engine) start(image string) (id string, err error) {
	id, err = e.create(image)
	if err != nil {
		return "", err
	}
	return id, containers.Start(e.conn, id, nil)
}

// discard removes a container whose end is not measured.
func (e *engine) discard(id string) { _ = e.remove(id) }

func (e *engine) create(image string) (string, error) {
	spec := specgen.NewSpecGenerator(image, false)
	spec.Command = []string{"sleep", "infinity"}
	remove := true
	spec.Remove = &remove
	spec.NetNS = specgen.Namespace{NSMode: specgen.Pasta}
	spec.LogConfiguration = &specgen.LogConfig{Driver: "k8s-file"}
	made, err := containers.CreateWithSpec(e.conn, spec, nil)
	if err != nil {
		return "", err
	}
	return made.ID, nil
}

// exec runs true through the REST API as a client must: create the exec
// session, start it attached, inspect the exit code.
func (e *engine) exec(id string) error {
	session, err := containers.ExecCreate(e.conn, id, &handlers.ExecCreateConfig{
		ExecOptions: dockercontainer.ExecOptions{Cmd: []string{"true"}, AttachStdout: true, AttachStderr: true},
	})
	if err != nil {
		return err
	}
	var sink bytes.Buffer
	opts := new(containers.ExecStartAndAttachOptions).
		WithOutputStream(&sink).WithErrorStream(&sink).WithAttachOutput(true).WithAttachError(true)
	if err := containers.ExecStartAndAttach(e.conn, session, opts); err != nil {
		return err
	}
	state, err := containers.ExecInspect(e.conn, session, nil)
	if err == nil && state.ExitCode != 0 {
		err = fmt.Errorf("exec of true: exit code %d", state.ExitCode)
	}
	return err
}

// awaitCleanups returns when no clean-up command of the engine's runs any more.
func awaitCleanups() {
	for {
		tables, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		if !slices.ContainsFunc(tables, isCleanup) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// isCleanup reports whether a process runs the engine's clean-up command. Its
// monitor has the same words among its arguments, behind others.
func isCleanup(cmdline string) bool {
	args, _ := os.ReadFile(cmdline)
	return strings.HasPrefix(filepath.Base(strings.Split(string(args), "\x00")[0]), "podman") &&
		bytes.Contains(args, []byte("\x00container\x00cleanup\x00"))
}

// monitor returns a function that waits for the end of a container's conmon.
// After a removal that still runs the engine's cleanup command, which would be
// paid for by whatever is measured next; a sandbox's kill waits for it.
func (e *engine) monitor(id string) (wait func(), err error) {
	c, err := containers.Inspect(e.conn, id, nil)
	if err != nil {
		return nil, err
	}
	fd, err := unix.PidfdOpen(c.State.ConmonPid, 0)
	if err != nil {
		return nil, err
	}
	return func() {
		defer unix.Close(fd)
		const enough = 5000 // milliseconds
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, enough)
	}, nil
}

func (e *engine) remove(id string) error {
	_, err := containers.Remove(e.conn, id, new(containers.RemoveOptions).WithForce(true).WithTimeout(0))
	return err
}

// command runs a host command to its end and wants it to succeed.
func command(ctx context.Context, name string, args ...string) func() error {
	return func() error {
		out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s %v: %w: %s", name, args, err, bytes.TrimSpace(out))
		}
		return nil
	}
}
