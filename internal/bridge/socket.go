package bridge

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// Socket returns a dial of the socket with a name in a directory. It waits for
// one that is about to appear there.
func Socket(dir, name string) func(context.Context) (net.Conn, error) {
	path := filepath.Join(dir, name)
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if !errors.Is(err, unix.ENOENT) {
			return conn, err
		}
		if err := await(ctx, dir, path); err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
}

// await returns when there is a file at path, in dir.
func await(ctx context.Context, dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	if err := watcher.Add(dir); err != nil {
		return err
	}
	for {
		if _, err := os.Lstat(path); err == nil {
			return nil
		}
		select {
		case <-watcher.Events:
		case err := <-watcher.Errors:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
