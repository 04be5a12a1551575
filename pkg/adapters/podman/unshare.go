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
// engine's mounts in sight, which only podman's CLI can arrange.
func unshared(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "podman", append([]string{"unshare"}, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), namesEngine)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("podman unshare %s: %w: %s", filepath.Base(args[0]), err, bytes.TrimSpace(out))
	}
	return nil
}

// namesEngine recognizes the variables by which podman becomes the client of a
// service, also of one on this machine: such a client refuses to unshare.
func namesEngine(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return name == "CONTAINER_HOST" || name == "CONTAINER_CONNECTION"
}
