package podman

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// unshared runs a program as the root of the user's range of ids, with the
// engine's mounts in sight, which only podman's CLI can arrange, and returns what
// it printed.
func unshared(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "podman", append([]string{"unshare"}, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), namesEngine)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("podman unshare %s: %w: %s", filepath.Base(args[0]), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, err
}

// namesEngine recognizes the variables by which podman becomes the client of a
// service, also of one on this machine: such a client refuses to unshare.
func namesEngine(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return name == "CONTAINER_HOST" || name == "CONTAINER_CONNECTION"
}
