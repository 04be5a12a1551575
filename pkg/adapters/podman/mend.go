package podman

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/internal/rebind"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// mendTimeout bounds the way back to a sandbox, which takes a tenth of a
// second, or waiting for somebody else to find it.
const mendTimeout = 10 * time.Second

// mend gives a sandbox that the engine says is running its socket back, which
// somebody has deleted on the host. It is an [agentsock.Mender].
func (a *Adapter) mend(ctx context.Context, id string, lost error) error {
	ctx, cancel := context.WithTimeout(ctx, mendTimeout)
	defer cancel()
	conn, err := a.engine.use(ctx)
	if err != nil {
		return lost
	}
	s, err := conn.find(ctx, a.root, id)
	if err != nil {
		return lost
	}
	if s == nil || s.info.State != adapters.StateRunning {
		return lost
	}
	claim, made, err := a.reclaim(id)
	if errors.Is(err, statedir.ErrClaimed) {
		// It is in the making, or somebody else is at this.
		return a.awaitSocket(ctx, id, func() error { return nil })
	}
	if err != nil {
		return mapError(err)
	}
	defer claim.Release()
	if err := a.restore(ctx, s, made); err != nil {
		e := *mapped(err)
		e.Op, e.Adapter, e.ID = "restore the socket of", Name, id
		a.log.Warn("lost a sandbox's socket", "sandbox", id, "error", err)
		return &e
	}
	a.log.Info("gave a sandbox its socket back", "sandbox", id)
	return nil
}

// reclaim takes hold of a sandbox's directory, which it makes where there is
// none.
func (a *Adapter) reclaim(id string) (claim *statedir.Claim, made bool, err error) {
	for {
		claim, err = a.dirs.Create(id)
		if !errors.Is(err, fs.ErrExist) {
			return claim, err == nil, err
		}
		claim, err = a.dirs.Claim(id)
		if !errors.Is(err, fs.ErrNotExist) { // it may go meanwhile
			return claim, false, err
		}
	}
}

// restore has the agent make its socket anew: in the directory that it still
// shares with the host, or in a new one.
func (a *Adapter) restore(ctx context.Context, s *sandbox, made bool) error {
	dir := a.dirs.Sandbox(s.info.ID)
	if !made {
		if conn, err := agentsock.Dial(ctx, dir); err == nil {
			return conn.Close() // somebody else has been here
		}
	}
	m := monitorOf(s.ID, s.Pid)
	if m == nil {
		return &adapters.Error{
			Kind: adapters.ErrUnavailable, Err: errors.New("its process cannot be found on this host"),
			Hint: "kill the sandbox and create another",
		}
	}
	defer m.close()
	started := rebind.Started(s.Pid)
	if err := m.signal(0); err != nil {
		return err // and the number may be another process's
	}
	// What nobody listens on any more would be taken for what is awaited.
	if err := os.Remove(filepath.Join(dir, agentapi.SocketName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.awaitSocket(ctx, s.info.ID, func() error {
		if !made && sharedWith(s.Pid, dir) {
			return m.signal(rebind.Signal)
		}
		return a.rebind(ctx, s.Pid, started, dir)
	})
}

// awaitSocket returns when something that was begun has made a socket appear.
func (a *Adapter) awaitSocket(ctx context.Context, id string, begin func() error) error {
	watch, err := a.watcher.Watch(a.dirs.Sandbox(id))
	if err != nil {
		return err
	}
	defer watch.Close()
	if err := begin(); err != nil {
		return err
	}
	return watch.Wait(ctx)
}

// rebind mounts the directory in the sandbox.
func (a *Adapter) rebind(ctx context.Context, pid int, started, dir string) error {
	agent, err := a.agent.Find(ctx)
	if err != nil {
		return err
	}
	_, err = unshared(ctx, append([]string{agent}, rebind.Args(pid, started, dir)...)...)
	return err
}

// sharedWith reports whether a directory of this host is the one that a sandbox
// has in the place of its socket. The sandbox's own links are not followed.
func sharedWith(pid int, dir string) bool {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, agentapi.SocketDir[1:], &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var inside, outside unix.Stat_t
	return unix.Fstat(fd, &inside) == nil && unix.Lstat(dir, &outside) == nil &&
		inside.Dev == outside.Dev && inside.Ino == outside.Ino
}
