package podman

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/internal/rebind"
	"github.com/quixand/quixand/pkg/adapters"
)

// Mend has the agent make its socket anew: in the directory that it still
// shares with the host, or in a new one.
func (e *engine) Mend(ctx context.Context, c *local.Container, dir, agent string, made bool) error {
	m := monitorOf(c.ID, c.Pid)
	if m == nil {
		return &adapters.Error{
			Kind: adapters.ErrUnavailable, Err: errors.New("its process cannot be found on this host"),
			Hint: "kill the sandbox and create another",
		}
	}
	defer m.close()
	started := rebind.Started(c.Pid)
	if err := m.signal(0); err != nil {
		return mapError(err) // and the number may be another process's
	}
	if !made && sharedWith(c.Pid, dir) {
		return mapError(m.signal(rebind.Signal))
	}
	_, err := unshared(ctx, append([]string{agent}, rebind.Args(c.Pid, started, dir)...)...)
	return mapError(err)
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

// RemoveTree removes a directory as the root of the user's own namespace.
func (e *engine) RemoveTree(ctx context.Context, dir string) error {
	_, err := unshared(ctx, "rm", "-rf", "--", dir)
	return mapError(err)
}
