// Package agentsock reaches a sandbox's agent through the directory that host
// and sandbox share. It knows no engine: whatever runs the sandbox, the agent
// is a socket in a directory.
//
// The sandbox owns what is in that directory and is hostile: it may plant a
// link to another socket of the host there, a FIFO, or something that changes
// between a look and a use. So the directory is opened once, the name in it is
// resolved once, without following links, into a handle on whatever it is, and
// the connection goes to that handle and nothing else.
package agentsock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// dialTimeout bounds the way to a byte stream where the caller's context does
// not. The way is local; who needs longer is not answering.
const dialTimeout = 10 * time.Second

// Dial connects to the agent whose socket is in dir.
func Dial(ctx context.Context, dir string) (*net.UnixConn, error) {
	handle, err := openSocket(dir)
	if err != nil {
		return nil, err
	}
	// The handle must live until connect has followed it.
	defer handle.Close()

	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d", handle.Fd()))
	if err != nil {
		return nil, dialError(dir, err)
	}
	return conn.(*net.UnixConn), nil
}

// openSocket returns a handle on the socket in dir, which cannot be swapped
// for anything else any more. The kernel opens no file for it, so a FIFO or a
// device in that place is never touched.
func openSocket(dir string) (*os.File, error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()

	fd, err := unix.Openat(int(d.Fd()), agentapi.SocketName, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, dialError(dir, &os.PathError{Op: "open", Path: agentapi.SocketName, Err: err})
	}
	handle := os.NewFile(uintptr(fd), agentapi.SocketName)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		handle.Close()
		return nil, dialError(dir, os.NewSyscallError("fstat", err))
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		handle.Close()
		return nil, &adapters.Error{
			Op: "reach agent", Kind: adapters.ErrInternal,
			Err: fmt.Errorf("%s in %s is not a socket", agentapi.SocketName, dir),
		}
	}
	return handle, nil
}

// openDir opens the shared directory itself, which only its owner may have
// put there.
func openDir(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, &adapters.Error{
			Op: "reach agent", Kind: adapters.ErrNotFound,
			Err: fmt.Errorf("no sandbox has its socket at %s", dir),
		}
	}
	if err != nil {
		return nil, dialError(dir, &os.PathError{Op: "open", Path: dir, Err: err})
	}
	f := os.NewFile(uintptr(fd), dir)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		f.Close()
		return nil, dialError(dir, os.NewSyscallError("fstat", err))
	}
	if int(stat.Uid) != os.Geteuid() {
		f.Close()
		return nil, &adapters.Error{
			Op: "reach agent", Kind: adapters.ErrPermission,
			Err: fmt.Errorf("%s belongs to another user", dir),
		}
	}
	return f, nil
}

// dialError says what a system call's refusal means: an agent that is not
// there, or not any more, is unavailable.
func dialError(dir string, err error) error {
	e := &adapters.Error{Op: "reach agent", Kind: adapters.ErrInternal, Err: fmt.Errorf("%s: %w", dir, err)}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ECONNRESET):
		e.Kind = adapters.ErrUnavailable
	case errors.Is(err, unix.EAGAIN): // its queue of connections is full
		e.Kind = adapters.ErrExhausted
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		e.Kind = adapters.ErrExhausted
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		e.Kind = adapters.ErrPermission
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		e.Kind = adapters.ErrTimeout
	}
	return e
}
