package agent

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/unixconn"
)

// Listener accepts connections on the agent's socket. The socket can be made
// anew while it is in use: the host may lose the directory that it is in.
type Listener struct {
	dir string

	mu     sync.Mutex
	socket *net.UnixListener
	closed bool
}

// Listen makes the agent's socket in a directory. The socket appears under
// its name, by rename, when connections to it are accepted: who waits for the
// name waits for readiness.
func Listen(dir string) (*Listener, error) {
	socket, err := bind(dir)
	if err != nil {
		return nil, err
	}
	return &Listener{dir: dir, socket: socket}, nil
}

func bind(dir string) (*net.UnixListener, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, agentapi.SocketName)
	tmp := name + ".tmp"
	if err := os.Remove(tmp); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// The name to unlink is no longer the one that was bound.
	l.SetUnlinkOnClose(false)
	if err := errors.Join(lend(dir, tmp), os.Rename(tmp, name)); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// lend gives a file to the owner of the directory that it is in. That is
// somebody else where the engine is root and its containers' root is, too: the
// host's end belongs to the user who shares the directory. Inside, that user's
// number is as likely as not the one that the sandbox's code runs as, so the
// way to the directory is closed to all but root.
func lend(dir, file string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	if int(owner.Uid) == os.Geteuid() {
		return nil
	}
	if err := os.Chmod(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	return os.Lchown(file, int(owner.Uid), int(owner.Gid))
}

// Renew makes the socket anew, in whatever directory has the name by now.
// Connections that are open stay so.
func (l *Listener) Renew() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	socket, err := bind(l.dir)
	if err != nil {
		return err
	}
	l.socket.Close() // wakes Accept
	l.socket = socket
	return nil
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		socket := l.current()
		conn, err := socket.AcceptUnix()
		if err == nil {
			return unixconn.Conn{UnixConn: conn}, nil
		}
		if socket == l.current() {
			return nil, err
		}
	}
}

func (l *Listener) current() *net.UnixListener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.socket
}

// Close removes the socket.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.closed = true
	_ = os.Remove(filepath.Join(l.dir, agentapi.SocketName))
	return l.socket.Close()
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return l.current().Addr() }
