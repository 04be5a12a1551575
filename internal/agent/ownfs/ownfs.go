// Package ownfs creates files and directories that belong to a user, from an
// agent that may be root.
//
// Code inside the sandbox can rename and link things at any moment. So
// whatever is created is handed over through its own descriptor, never by its
// name, which may mean something else by then.
package ownfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
)

// Modes of what is created without being told otherwise.
const (
	dirMode  = 0o755
	fileMode = 0o644
)

// Mkdir creates one directory for a user. What exists is fs.ErrExist.
func Mkdir(path string, u identity.User) error {
	parent, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	defer unix.Close(parent)
	name := filepath.Base(path)
	if err := unix.Mkdirat(parent, name, 0o700); err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	fd, err := adopt(parent, name, u)
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	return unix.Close(fd)
}

// MkdirAll creates a directory and its missing parents for a user. What
// exists keeps its owner. path must be absolute and clean.
func MkdirAll(path string, u identity.User) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	var missing []string
	existing := path
	for {
		info, err := os.Stat(existing)
		if err == nil && !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: existing, Err: unix.ENOTDIR}
		}
		if err == nil || existing == "/" {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing = append(missing, filepath.Base(existing))
		existing = filepath.Dir(existing)
	}
	return mkdirChain(existing, missing, u)
}

// mkdirChain creates names, the deepest first, below a directory.
func mkdirChain(base string, names []string, u identity.User) error {
	dir, err := unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: base, Err: err}
	}
	defer func() { unix.Close(dir) }()
	for i := len(names) - 1; i >= 0; i-- {
		base = filepath.Join(base, names[i])
		next, err := mkdirAt(dir, names[i], u)
		if err != nil {
			return &fs.PathError{Op: "mkdir", Path: base, Err: err}
		}
		unix.Close(dir)
		dir = next
	}
	return nil
}

// mkdirAt creates a directory and opens it. One that came into being
// meanwhile is as good.
func mkdirAt(dir int, name string, u identity.User) (fd int, err error) {
	switch err := unix.Mkdirat(dir, name, 0o700); err {
	case nil:
		return adopt(dir, name, u)
	case unix.EEXIST:
		return openDir(dir, name)
	default:
		return -1, err
	}
}

func openDir(dir int, name string) (fd int, err error) {
	return unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// adopt opens a directory that was just created and gives it to the user.
func adopt(dir int, name string, u identity.User) (fd int, err error) {
	if fd, err = openDir(dir, name); err != nil {
		return -1, err
	}
	if err = chown(fd, u); err == nil {
		err = unix.Fchmod(fd, dirMode)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Create opens a file for writing and gives it to the user. A new file gets
// mode 0644 and its missing parents are created; an existing one keeps its
// mode. Only regular files are opened: a FIFO or a device could block the
// caller, or worse.
//
// size is what the file holds. The caller writes over it and then cuts off what
// is left: a file that is emptied first is taken by some file systems for one
// that is being replaced, and then closing it waits for the disk.
func Create(path string, u identity.User) (f *os.File, size int64, err error) {
	f, err = openExisting(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = createNew(path, u)
	}
	if err != nil {
		return nil, 0, err
	}
	if size, err = takeOver(f, u); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

const openFlags = unix.O_WRONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

func openExisting(path string) (*os.File, error) {
	f, err := os.OpenFile(path, openFlags, 0)
	if errors.Is(err, unix.ENXIO) { // a FIFO that nobody reads
		return nil, notRegular(path)
	}
	return f, err
}

func createNew(path string, u identity.User) (*os.File, error) {
	if strings.HasSuffix(path, "/") {
		return nil, &fs.PathError{Op: "open", Path: path, Err: unix.EISDIR}
	}
	if err := MkdirAll(filepath.Dir(path), u); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, openFlags|unix.O_CREAT|unix.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		// A link to nothing, or a file that came into being meanwhile.
		return os.OpenFile(path, openFlags|unix.O_CREAT, fileMode)
	}
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(fileMode); err != nil { // whatever our umask
		f.Close()
		return nil, err
	}
	return f, nil
}

func takeOver(f *os.File, u identity.User) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, notRegular(f.Name())
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid == u.UID && st.Gid == u.GID {
		return info.Size(), nil
	}
	return info.Size(), Chown(f, u)
}

func notRegular(path string) error {
	return &fs.PathError{Op: "open", Path: path, Err: errNotRegular{}}
}

// errNotRegular is an invalid argument to those who ask with errors.Is.
type errNotRegular struct{}

func (errNotRegular) Error() string        { return "not a regular file" }
func (errNotRegular) Is(target error) bool { return target == unix.EINVAL }

// Open opens a regular file for reading.
func Open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = &fs.PathError{Op: "open", Path: path, Err: unix.EISDIR}
	case !info.Mode().IsRegular():
		err = notRegular(path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// Chtime sets an open file's modification time.
func Chtime(f *os.File, t time.Time) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var timeErr error
	err = conn.Control(func(fd uintptr) {
		ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(t.UnixNano())}
		timeErr = unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), ts, 0)
	})
	if err != nil {
		return err
	}
	if timeErr != nil {
		return &fs.PathError{Op: "chtimes", Path: f.Name(), Err: timeErr}
	}
	return nil
}

// Chown gives an open file to a user.
func Chown(f *os.File, u identity.User) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var chownErr error
	if err := conn.Control(func(fd uintptr) { chownErr = chown(int(fd), u) }); err != nil {
		return err
	}
	if chownErr != nil {
		return &fs.PathError{Op: "chown", Path: f.Name(), Err: chownErr}
	}
	return nil
}

func chown(fd int, u identity.User) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Uid == u.UID && st.Gid == u.GID {
		return nil
	}
	return unix.Fchown(fd, int(u.UID), int(u.GID))
}
