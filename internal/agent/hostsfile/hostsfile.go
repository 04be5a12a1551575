// Package hostsfile gives a sandbox an /etc/hosts of its own: its names, and
// nobody else's. Engines make one of the host's file, whose names and
// addresses are nothing that a sandbox should read; and an image's, if it has
// one, is empty, so that not even localhost would be known.
package hostsfile

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Write replaces the file at path by one that knows localhost and name. One
// that the engine has mounted stays, and so does a read-only system's.
func Write(path, name string) error {
	// Not written into: the image's may be a link, or a pipe.
	err := os.Remove(path)
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EROFS):
		return nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return unlessReadOnly(err)
	}
	text := "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\t" + name + "\n"
	return unlessReadOnly(os.WriteFile(path, []byte(text), 0o644))
}

func unlessReadOnly(err error) error {
	if errors.Is(err, unix.EROFS) {
		return nil
	}
	return err
}
