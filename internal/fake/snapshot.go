package fake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// snapshot is a copy of a sandbox's directories. Until it is complete it only
// holds its name.
type snapshot struct {
	adapters.Snapshot
	dir string
}

// kept is what snapshots copy of a sandbox.
var kept = []string{"home", "workspace"}

// copyKept leaves it to cp, which keeps modes, links and times.
func copyKept(to, from string) error {
	args := []string{"-a", "-t", to}
	for _, name := range kept {
		args = append(args, filepath.Join(from, name))
	}
	if out, err := exec.Command("cp", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return nil
}

// Snapshot implements [adapters.Snapshotter]. The sandbox is not stopped
// meanwhile.
func (a *Adapter) Snapshot(_ context.Context, id, name string) (*adapters.Snapshot, error) {
	b, err := a.engine.find(id)
	if err != nil {
		return nil, err
	}
	info := a.engine.describe(b)
	s := &snapshot{Snapshot: adapters.Snapshot{
		Name: name, Created: time.Now(), Sandbox: id, Image: info.Image,
		Workdir: info.Workdir, User: info.User, Sudo: info.Sudo, Metadata: info.Metadata, Startup: info.Startup, Root: a.root,
	}}
	if err := a.engine.addSnapshot(s); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "qs-snapshot")
	if err == nil {
		err = copyKept(dir, b.dir)
	}
	if err != nil {
		a.engine.forgetSnapshot(s)
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	a.engine.mu.Lock()
	defer a.engine.mu.Unlock()
	s.dir = dir
	return &s.Snapshot, nil
}

func (e *Engine) addSnapshot(s *snapshot) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := snapshotKey{s.Root, s.Name}
	if e.snapshots[key] != nil {
		return &adapters.Error{Kind: adapters.ErrExists, Err: fmt.Errorf("there is a snapshot %s already", s.Name)}
	}
	e.snapshots[key] = s
	return nil
}

// snapshotKey is under what the engine keeps a snapshot.
type snapshotKey struct{ root, name string }

func (e *Engine) forgetSnapshot(s *snapshot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.snapshots, snapshotKey{s.Root, s.Name})
}

// Snapshots implements [adapters.Snapshotter].
func (a *Adapter) Snapshots(context.Context) ([]*adapters.Snapshot, error) {
	a.engine.mu.Lock()
	defer a.engine.mu.Unlock()
	var all []*adapters.Snapshot
	for key, s := range a.engine.snapshots {
		if key.root == a.root && s.dir != "" {
			all = append(all, &s.Snapshot)
		}
	}
	slices.SortFunc(all, func(x, y *adapters.Snapshot) int { return y.Created.Compare(x.Created) })
	return all, nil
}

// RemoveSnapshot implements [adapters.Snapshotter].
func (a *Adapter) RemoveSnapshot(_ context.Context, name string) error {
	a.engine.mu.Lock()
	defer a.engine.mu.Unlock()
	key := snapshotKey{a.root, name}
	s := a.engine.snapshots[key]
	if s == nil || s.dir == "" {
		return noSnapshot(name)
	}
	for _, b := range a.engine.boxes {
		if b.info.Root == a.root && b.info.Snapshot == name {
			return &adapters.Error{
				Kind: adapters.ErrConflict, Err: fmt.Errorf("sandboxes use the snapshot %s: %s", name, b.info.ID),
				Hint: "kill the sandboxes that were created from it first",
			}
		}
	}
	delete(a.engine.snapshots, key)
	return os.RemoveAll(s.dir)
}

func noSnapshot(name string) error {
	return &adapters.Error{Kind: adapters.ErrNotFound, Err: fmt.Errorf("no snapshot %s", name)}
}

// fill copies what a new sandbox starts from.
func (a *Adapter) fill(b *box, spec *adapters.Spec) error {
	switch {
	case spec.Fork != "":
		source, err := a.engine.find(spec.Fork)
		if err != nil {
			return err
		}
		return copyKept(b.dir, source.dir)
	case spec.Snapshot != "":
		a.engine.mu.Lock()
		s := a.engine.snapshots[snapshotKey{a.root, spec.Snapshot}]
		a.engine.mu.Unlock()
		if s == nil {
			return noSnapshot(spec.Snapshot)
		}
		return copyKept(b.dir, s.dir)
	}
	return nil
}
