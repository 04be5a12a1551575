package podman

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
	conn, s, err := a.existing(ctx, id)
	if err != nil {
		return nil, err
	}
	// The engine takes a name away from the image that has it.
	unlock, err := a.dirs.LockName("snapshot/" + name)
	if errors.Is(err, statedir.ErrClaimed) {
		return nil, snapshotExists(name)
	}
	if err != nil {
		return nil, mapError(err)
	}
	defer unlock()
	there, err := conn.imageExists(ctx, a.snapshotRepo()+":"+name)
	if err != nil {
		return nil, mapError(err)
	}
	if there {
		return nil, snapshotExists(name)
	}
	if err := a.commit(ctx, conn, s, a.snapshotRepo(), name); err != nil {
		return nil, mapError(err)
	}
	return a.snapshot(ctx, conn, name)
}

func snapshotExists(name string) error {
	return &adapters.Error{
		Adapter: Name, Kind: adapters.ErrExists,
		Err:  fmt.Errorf("there is a snapshot %s already", name),
		Hint: "choose another name, or remove that one with: qs snapshots rm " + name,
	}
}

// snapshot describes one by its name.
func (a *Adapter) snapshot(ctx context.Context, conn *connection, name string) (*adapters.Snapshot, error) {
	all, err := a.listSnapshots(ctx, conn)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, &adapters.Error{
		Adapter: Name, Kind: adapters.ErrNotFound,
		Err: fmt.Errorf("no snapshot %s", name), Hint: "see what there is with: qs snapshots ls",
	}
}

// Snapshots lists the images with names of ours.
func (a *Adapter) Snapshots(ctx context.Context) ([]*adapters.Snapshot, error) {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return nil, err
	}
	return a.listSnapshots(ctx, conn)
}

func (a *Adapter) listSnapshots(ctx context.Context, conn *connection) ([]*adapters.Snapshot, error) {
	images, err := conn.listImages(ctx, "reference", a.snapshotRepo())
	if err != nil {
		return nil, mapError(err)
	}
	var found []*adapters.Snapshot
	for i := range images {
		found = append(found, a.snapshotsFrom(&images[i])...)
	}
	slices.SortStableFunc(found, func(x, y *adapters.Snapshot) int { return y.Created.Compare(x.Created) })
	return found, nil
}

// snapshotsFrom reads a snapshot's labels back. An image may have several names.
func (a *Adapter) snapshotsFrom(i *image) []*adapters.Snapshot {
	info, err := infoFrom(i.Labels)
	if err != nil || info.Root != a.root {
		return nil
	}
	var found []*adapters.Snapshot
	for _, ref := range i.Names {
		name, ours := strings.CutPrefix(ref, a.snapshotRepo()+":")
		if ours && adapters.ValidName(name) {
			found = append(found, &adapters.Snapshot{
				Name: name, Created: time.Unix(i.Created, 0), Bytes: i.Size, Sandbox: info.ID, Image: info.Image,
				Workdir: info.Workdir, Metadata: info.Metadata, Startup: info.Startup, Root: info.Root,
			})
		}
	}
	return found
}

// RemoveSnapshot removes the image, which the engine refuses while a container
// uses it.
func (a *Adapter) RemoveSnapshot(ctx context.Context, name string) error {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return err
	}
	if _, err := a.snapshot(ctx, conn, name); err != nil {
		return err
	}
	err = conn.removeImage(ctx, a.snapshotRepo()+":"+name, false)
	if e := mapError(err); errors.Is(e, adapters.ErrConflict) {
		return &adapters.Error{
			Adapter: Name, Kind: adapters.ErrConflict,
			Err:  fmt.Errorf("sandboxes use the snapshot %s: %w", name, err),
			Hint: "kill the sandboxes that were created from it first",
		}
	}
	return mapError(err)
}

// commit makes an image of a sandbox's file system. The engine freezes the
// sandbox meanwhile, where it can.
func (a *Adapter) commit(ctx context.Context, conn *connection, s *sandbox, repo, tag string) error {
	if s.info.State == adapters.StateRunning {
		thawed, err := a.dirs.Freeze(s.info.ID)
		if err != nil {
			a.log.Debug("the freeze is not noted", "sandbox", s.info.ID, "error", err)
		} else {
			defer thawed()
		}
	}
	patient, cancel := outlive(ctx, a.grace)
	defer cancel()
	query := commitQuery{repo: repo, tag: tag, pause: true}
	err := conn.commitContainer(patient, s.ID, query)
	if errors.Is(mapError(err), adapters.ErrUnsupported) {
		query.pause = false
		err = conn.commitContainer(patient, s.ID, query)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	return a.uncommit(ctx, conn, s, repo+":"+tag, err)
}

// uncommit removes what a commit that failed, or that nobody waits for, may have
// made all the same, and returns why that was necessary. An engine that has died
// over it has left the sandbox frozen.
func (a *Adapter) uncommit(ctx context.Context, conn *connection, s *sandbox, ref string, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	left := conn.removeImage(ctx, ref, false)
	if errors.Is(mapError(left), adapters.ErrNotFound) {
		left = nil
	}
	if errors.Is(mapError(why), adapters.ErrExhausted) {
		a.thawUnknown(ctx, conn, s.ID)
	}
	now, err := conn.find(ctx, a.root, s.info.ID)
	if err == nil && now != nil && now.info.State == adapters.StatePaused && s.info.State == adapters.StateRunning {
		err = conn.unpauseContainer(ctx, s.ID)
	}
	return alsoLeft(why, errors.Join(left, err))
}
