package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// A snapshot is an image with the labels of the container that it was taken of.
// The labels alone prove nothing, since images and containers that are made from
// it inherit them: what makes it a snapshot is its name, which has the root in
// it, so that roots neither see each other's nor clash.

// snapshotRepo is what the engine calls the snapshots of this root.
func (a *Adapter) snapshotRepo() string {
	return "localhost/quixand/snapshot/" + filepath.Base(a.dirs.Path())
}

// Snapshot commits the sandbox's container.
func (a *Adapter) Snapshot(ctx context.Context, id, name string) (*adapters.Snapshot, error) {
	s, err := a.existing(ctx, id)
	if err != nil {
		return nil, err
	}
	// The engine takes a name away from the image that has it.
	unlock, err := a.dirs.LockName("snapshot/" + name)
	if errors.Is(err, statedir.ErrClaimed) {
		return nil, a.snapshotExists(name)
	}
	if err != nil {
		return nil, a.mapError(err)
	}
	defer unlock()
	if _, err := a.engine.Image(ctx, a.snapshotRepo()+":"+name); err == nil {
		return nil, a.snapshotExists(name)
	} else if !errors.Is(err, adapters.ErrNotFound) {
		return nil, err
	}
	if err := a.commit(ctx, s, a.snapshotRepo(), name); err != nil {
		return nil, a.mapError(err)
	}
	return a.snapshot(ctx, name)
}

func (a *Adapter) snapshotExists(name string) error {
	return &adapters.Error{
		Adapter: a.name, Kind: adapters.ErrExists,
		Err:  fmt.Errorf("there is a snapshot %s already", name),
		Hint: "choose another name, or remove that one with: qs snapshots rm " + name,
	}
}

// snapshot describes one by its name.
func (a *Adapter) snapshot(ctx context.Context, name string) (*adapters.Snapshot, error) {
	all, err := a.listSnapshots(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, &adapters.Error{
		Adapter: a.name, Kind: adapters.ErrNotFound,
		Err: fmt.Errorf("no snapshot %s", name), Hint: "see what there is with: qs snapshots ls",
	}
}

// Snapshots lists the images with names of ours.
func (a *Adapter) Snapshots(ctx context.Context) ([]*adapters.Snapshot, error) {
	return a.listSnapshots(ctx)
}

func (a *Adapter) listSnapshots(ctx context.Context) ([]*adapters.Snapshot, error) {
	images, err := a.engine.ImagesOf(ctx, a.snapshotRepo())
	if err != nil {
		return nil, err
	}
	var found []*adapters.Snapshot
	for _, i := range images {
		found = append(found, a.snapshotsFrom(i)...)
	}
	slices.SortStableFunc(found, func(x, y *adapters.Snapshot) int { return y.Created.Compare(x.Created) })
	return found, nil
}

// snapshotsFrom reads a snapshot's labels back. An image may have several names.
func (a *Adapter) snapshotsFrom(i *adapters.Image) []*adapters.Snapshot {
	info, err := infoFrom(i.Labels)
	if err != nil || info.Root != a.root {
		return nil
	}
	var found []*adapters.Snapshot
	for _, ref := range i.Names {
		name, ours := strings.CutPrefix(ref, a.snapshotRepo()+":")
		if ours && adapters.ValidName(name) {
			found = append(found, &adapters.Snapshot{
				Name: name, Created: i.Created, Bytes: i.Bytes, Sandbox: info.ID, Image: info.Image,
				Workdir: info.Workdir, User: info.User, Sudo: info.Sudo, Metadata: info.Metadata, Startup: info.Startup, Root: info.Root,
			})
		}
	}
	return found
}

// RemoveSnapshot removes the image, which the engine refuses while a container
// uses it.
func (a *Adapter) RemoveSnapshot(ctx context.Context, name string) error {
	if _, err := a.snapshot(ctx, name); err != nil {
		return err
	}
	err := a.engine.RemoveImage(ctx, a.snapshotRepo()+":"+name, false)
	if errors.Is(err, adapters.ErrConflict) {
		return &adapters.Error{
			Adapter: a.name, Kind: adapters.ErrConflict,
			Err:  fmt.Errorf("sandboxes use the snapshot %s: %w", name, err),
			Hint: "kill the sandboxes that were created from it first",
		}
	}
	return err
}

// commit makes an image of a sandbox's file system. The engine freezes the
// sandbox meanwhile, where it can.
func (a *Adapter) commit(ctx context.Context, s *sandbox, repo, tag string) error {
	if s.info.State == adapters.StateRunning {
		thawed, err := a.dirs.Freeze(s.info.ID)
		if err != nil {
			a.log.Debug("the freeze is not noted", "sandbox", s.info.ID, "error", err)
		} else {
			defer thawed()
		}
	}
	patient, cancel := Outlive(ctx, a.grace)
	defer cancel()
	err := a.engine.Commit(patient, s.ID, repo, tag, true)
	if errors.Is(err, adapters.ErrUnsupported) {
		err = a.engine.Commit(patient, s.ID, repo, tag, false)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	return a.uncommit(ctx, s, repo+":"+tag, err)
}

// uncommit removes what a commit that failed, or that nobody waits for, may have
// made all the same, and returns why that was necessary. An engine that has died
// over it has left the sandbox frozen.
func (a *Adapter) uncommit(ctx context.Context, s *sandbox, ref string, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	left := a.engine.RemoveImage(ctx, ref, false)
	if errors.Is(left, adapters.ErrNotFound) {
		left = nil
	}
	now, err := a.find(ctx, s.info.ID)
	if err == nil && now != nil && now.info.State == adapters.StatePaused && s.info.State == adapters.StateRunning {
		err = a.engine.Unpause(ctx, s.ID)
	}
	return AlsoLeft(why, errors.Join(left, err))
}
