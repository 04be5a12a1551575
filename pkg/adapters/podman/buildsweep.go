package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A build outlives a client that is killed, at most by its command, and if the
// engine's service exits meanwhile, what it has made outlives that. The next
// call finds the mark, which nobody claims, and with its help the rest.

// Sweep ends the builds of this user that nobody waits for.
func (e *engine) Sweep(ctx context.Context) {
	ids, err := e.builds.IDs()
	if err != nil {
		e.log.Debug("sweep builds", "error", err)
	}
	for _, id := range ids {
		claim, err := e.builds.Claim(id)
		if err != nil {
			continue // somebody waits for it, or is at it, or it is gone
		}
		m := &mark{claim}
		err = e.endBuild(ctx, m)
		m.release()
		e.log.Debug("swept", "build", id, "error", err)
	}
}

const (
	// endBuildTimeout bounds the end of one build. What is left then is left for
	// the next call.
	endBuildTimeout = 10 * time.Second
	// quietLooks is how often in a row nothing must be found. A build that has
	// ended one instruction may be about to begin the next, in another container.
	quietLooks = 2
)

// endBuild ends a build that the engine may still be at, and removes what is left
// of it. The caller has the claim.
func (e *engine) endBuild(ctx context.Context, m *mark) error {
	ctx, cancel := context.WithTimeout(ctx, endBuildTimeout)
	defer cancel()
	info, err := e.getInfo(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(stopEvery)
	defer tick.Stop()
	for quiet := 0; quiet < quietLooks; quiet++ {
		found, err := e.endOnce(ctx, info, m)
		if err != nil {
			return err
		}
		if found {
			quiet = 0
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return mapError(context.Cause(ctx))
		}
	}
	if err := m.removeFiles(); err != nil {
		e.log.Debug("files of a build are left", "error", err)
	}
	m.remove()
	return nil
}

// endOnce kills the build's commands and removes its containers.
func (e *engine) endOnce(ctx context.Context, info *systemInfo, m *mark) (found bool, err error) {
	found = m.kill() > 0
	stored, err := e.listBuilding(ctx)
	for _, s := range stored {
		if err != nil {
			break
		}
		if m.has(info, s.ID) {
			found = true
			err = e.remove(ctx, s.ID)
		}
	}
	return found, err
}

// has reports whether a container is the build's, by what the engine has noted
// about how to build in it.
func (m *mark) has(info *systemInfo, container string) bool {
	dir := filepath.Join(info.Store.GraphRoot, info.Store.GraphDriverName+"-containers", container, "userdata")
	note, err := os.Open(filepath.Join(dir, "buildah.json"))
	if err != nil {
		return false // it is gone, or somebody else's
	}
	defer note.Close()
	var builder struct {
		CommonBuildOpts struct{ Volumes []string }
	}
	err = json.NewDecoder(io.LimitReader(note, maxBuilderNote)).Decode(&builder)
	return err == nil && slices.Contains(builder.CommonBuildOpts.Volumes, m.volume())
}

// maxBuilderNote bounds the note, which has the base image's history in it.
const maxBuilderNote = 16 << 20

// removeFiles removes what an engine that died has left in its directory for
// temporary files: the bundles of commands, and the files to build from. It could
// have been told another directory than this process; then they stay.
func (m *mark) removeFiles() error {
	var errs []error
	for _, dir := range slices.Compact([]string{"/var/tmp", filepath.Clean(os.TempDir())}) {
		bundles, _ := filepath.Glob(filepath.Join(dir, "buildah*", "config.json"))
		for _, config := range bundles {
			text, err := os.ReadFile(config)
			if err == nil && bytes.Contains(text, fmt.Appendf(nil, "%q", m.target())) {
				errs = append(errs, removeBundle(filepath.Dir(config)))
			}
		}
		contexts, _ := filepath.Glob(filepath.Join(dir, "libpod_builder*", "build", markFile+m.name()))
		for _, file := range contexts {
			errs = append(errs, os.RemoveAll(filepath.Dir(filepath.Dir(file))))
		}
	}
	return errors.Join(errs...)
}

// removeBundle makes its directory for mounts readable first. They were mounted
// for the engine alone; here it holds only empty directories.
func removeBundle(dir string) error {
	_ = os.Chmod(filepath.Join(dir, "mnt"), 0o700)
	return os.RemoveAll(dir)
}
