package local

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/quixand/quixand/internal/statedir"
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
		source, err := c.find(ctx, c.spec.Fork)
		if err != nil {
			return err
		}
		if source == nil {
			return c.notFound(c.spec.Fork)
		}
		return c.commit(ctx, source, c.forkRepo(), c.spec.ID)
	})
}

// removeForkImage removes the image of a sandbox that was a fork. Images that
// were made from it keep what they share with it.
func (a *Adapter) removeForkImage(ctx context.Context, id, source string) error {
	if source == "" {
		return nil
	}
	err := a.engine.RemoveImage(ctx, a.forkRepo()+":"+id, false)
	if errors.Is(err, adapters.ErrNotFound) {
		return nil
	}
	return err
}

// Prune removes images of forks that are gone. Kill and the sweep do so as well,
// but only where something else is left that reminds of the fork.
func (a *Adapter) Prune(ctx context.Context) ([]string, error) {
	images, err := a.engine.ImagesOf(ctx, a.forkRepo())
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, i := range images {
		for _, ref := range i.Names {
			id, ours := strings.CutPrefix(ref, a.forkRepo()+":")
			if !ours || !adapters.ValidID(id) {
				continue
			}
			gone, err := a.pruneFork(ctx, id)
			if err != nil {
				return removed, a.mapError(err)
			}
			if gone {
				removed = append(removed, ref)
			}
		}
	}
	return removed, nil
}

// pruneFork removes a fork's image unless the fork is there, or in the making.
func (a *Adapter) pruneFork(ctx context.Context, id string) (gone bool, err error) {
	claim, err := a.dirs.Claim(id)
	if errors.Is(err, statedir.ErrClaimed) {
		return false, nil
	}
	if err == nil {
		defer claim.Release()
	}
	s, err := a.find(ctx, id)
	if err != nil || s != nil {
		return false, err
	}
	err = a.removeForkImage(ctx, id, "unknown")
	return err == nil, err
}
