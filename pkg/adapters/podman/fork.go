package podman

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/quixand/quixand/pkg/adapters"
)

// A fork is a commit and a creation in one. The image in between has the fork's
// id for a tag and is removed with the fork: by the engine when the agent ends,
// by Kill, and by the sweep where a process has died in between. The claim of
// the fork's directory says that the image is needed before there is a container
// that uses it.

func (a *Adapter) forkRepo() string {
	return "localhost/quixand/fork/" + filepath.Base(a.dirs.Path())
}

// imageOf is the image that a sandbox starts from, as the engine calls it.
func (a *Adapter) imageOf(spec *adapters.Spec) string {
	switch {
	case spec.Fork != "":
		return a.forkRepo() + ":" + spec.ID
	case spec.Snapshot != "":
		return a.snapshotRepo() + ":" + spec.Snapshot
	}
	return spec.Image
}

// copySource makes the image of the sandbox that this one is a fork of.
func (c *creation) copySource(ctx context.Context) error {
	return phase(ctx, c.spec, adapters.PhaseCopy, c.spec.Budgets.Pull, func(ctx context.Context) error {
		source, err := c.conn.find(ctx, c.root, c.spec.Fork)
		if err != nil {
			return err
		}
		if source == nil {
			return notFound(c.spec.Fork)
		}
		return c.commit(ctx, c.conn, source, c.forkRepo(), c.spec.ID)
	})
}

// removeForkImage removes the image of a sandbox that was a fork. Images that
// were made from it keep what they share with it.
func (a *Adapter) removeForkImage(ctx context.Context, conn *connection, id, source string) error {
	if source == "" {
		return nil
	}
	err := conn.removeImage(ctx, a.forkRepo()+":"+id)
	if errors.Is(mapError(err), adapters.ErrNotFound) {
		return nil
	}
	return err
}
