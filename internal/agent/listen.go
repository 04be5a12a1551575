package agent

import (
	"net"
	"os"
	"path/filepath"

	"github.com/quixand/quixand/internal/agentapi"
)

// Listen makes the agent's socket in a directory. The socket appears under
// its name, by rename, when connections to it are accepted: who waits for the
// name waits for readiness.
func Listen(dir string) (net.Listener, error) {
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
	if err := os.Rename(tmp, name); err != nil {
		l.Close()
		return nil, err
	}
	return &listener{l, name}, nil
}

// listener removes the socket when it is closed.
type listener struct {
	*net.UnixListener
	name string
}

func (l *listener) Close() error {
	_ = os.Remove(l.name)
	return l.UnixListener.Close()
}
