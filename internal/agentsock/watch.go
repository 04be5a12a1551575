package agentsock

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// Watch waits for an agent to become ready. Make it before the engine starts
// the sandbox, so that nothing is missed and nothing is polled.
type Watch struct {
	dir     string
	inotify *os.File
}

// NewWatch begins to watch the shared directory.
func NewWatch(dir string) (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, watchError(dir, os.NewSyscallError("inotify_init", err))
	}
	// The agent binds under another name and renames: what appears by
	// creation alone is not ready, or not the agent's.
	_, err = unix.InotifyAddWatch(fd, dir, unix.IN_MOVED_TO|unix.IN_ONLYDIR|unix.IN_DONT_FOLLOW)
	if err != nil {
		unix.Close(fd)
		return nil, watchError(dir, os.NewSyscallError("inotify_add_watch", err))
	}
	return &Watch{dir, os.NewFile(uintptr(fd), "inotify")}, nil
}

// watchError: the likely refusal is the limit on a user's inotify instances.
func watchError(dir string, err error) error {
	e := &adapters.Error{Op: "watch", Kind: adapters.ErrInternal, Err: fmt.Errorf("%s: %w", dir, err)}
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENOSPC) {
		e.Kind = adapters.ErrExhausted
		e.Hint = "raise the limits fs.inotify.max_user_instances and fs.inotify.max_user_watches with sysctl"
	}
	return e
}

// Ready reports whether the socket is there.
func (w *Watch) Ready() bool {
	handle, err := openSocket(w.dir)
	if err != nil {
		return false
	}
	handle.Close()
	return true
}

// Wait returns when the socket is there, when something else is in its place,
// or with the cause of the context's end.
func (w *Watch) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { w.inotify.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		handle, err := openSocket(w.dir)
		if err == nil {
			return handle.Close()
		}
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
		if err := w.next(); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return watchError(w.dir, err)
		}
	}
}

// next returns after the next event that concerns the socket. The sandbox can
// make as many others as it likes, so they must cost little and end no wait.
func (w *Watch) next() error {
	buf := make([]byte, 16*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	for {
		n, err := w.inotify.Read(buf)
		if err != nil {
			return err
		}
		if concernsSocket(buf[:n]) {
			return nil
		}
	}
}

// concernsSocket looks through a batch of inotify events for the socket's
// name, or for word that events were lost.
func concernsSocket(batch []byte) bool {
	for len(batch) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(batch[4:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(batch[12:]))
		if mask&(unix.IN_Q_OVERFLOW|unix.IN_IGNORED) != 0 {
			return true
		}
		if unix.ByteSliceToString(batch[unix.SizeofInotifyEvent:end]) == agentapi.SocketName {
			return true
		}
		batch = batch[end:]
	}
	return false
}

// Close ends the watch.
func (w *Watch) Close() error { return w.inotify.Close() }
