package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
)

// On a full disk the engine can do less than it must: it freezes and cannot note
// it, it kills and cannot remove. What it keeps of a container that has died
// it cannot even tell.

// removeFromFull removes a container from a disk that is too full for the engine
// to note that it does. What the sandbox has written goes first: it may be what
// has filled the disk. Removing the files would not do, since the overlay, which
// is still mounted, holds on to them.
func (e *engine) removeFromFull(ctx context.Context, container string, m *monitor) error {
	layer, err := m.layer(ctx)
	if err != nil {
		return err
	}
	if _, err := unshared(ctx, "find", layer, "-xdev", "-type", "f", "-exec", "truncate", "--no-create", "--size=0", "--", "{}", "+"); err != nil {
		return err
	}
	return e.remove(ctx, container)
}

// layer returns the directory of what a container has written, which is beside
// the one where its overlay is mounted. Its monitor's bundle names that.
func (m *monitor) layer(ctx context.Context) (string, error) {
	if m == nil || m.bundle == "" {
		return "", errors.New("its monitor cannot be found")
	}
	text, err := unshared(ctx, "cat", "--", filepath.Join(m.bundle, "config.json"))
	if err != nil {
		return "", err
	}
	var config struct{ Root struct{ Path string } }
	if err := json.Unmarshal(text, &config); err != nil {
		return "", err
	}
	if filepath.Base(config.Root.Path) != "merged" {
		return "", fmt.Errorf("%s is not the root of an overlay", config.Root.Path)
	}
	return filepath.Join(filepath.Dir(config.Root.Path), "diff"), nil
}

// thawUnknown lets a sandbox go on that is frozen without the engine's knowledge.
// One that is not frozen does not notice.
func (e *engine) thawUnknown(ctx context.Context, container string) {
	runtime, err := e.runtimeOf(ctx, container)
	if err != nil {
		return
	}
	out, err := exec.CommandContext(ctx, runtime, "resume", container).CombinedOutput()
	e.log.Debug("thawed what the engine may have frozen", "container", container, "error", err, "output", string(bytes.TrimSpace(out)))
}
