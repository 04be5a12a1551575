package statedir

import (
	"errors"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/adapters"
)

// The names that people give to sandboxes are with the engine. Here they are
// noted, so that one can be looked up without it: the name of an empty file says
// which sandbox has which. What is lost is noted again when the engine lists
// its sandboxes.

// nameSep is in no id and in no name.
const nameSep = "@"

// namesLock is what LockName locks. It goes with the last sandbox.
const namesLock = "names.lock"

// Names gives the noted names by id. A sandbox for which two names are noted is
// being renamed, and left out.
func (r *Runtime) Names() (map[string]string, error) {
	entries, err := os.ReadDir(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, twice := make(map[string]string), []string{}
	for _, e := range entries {
		id, name, ok := strings.Cut(e.Name(), nameSep)
		if !ok || !adapters.ValidID(id) || !adapters.ValidName(name) {
			continue
		}
		if _, seen := names[id]; seen {
			twice = append(twice, id)
		}
		names[id] = name
	}
	for _, id := range twice {
		delete(names, id)
	}
	return names, nil
}

// SetName notes the name of a sandbox that has a directory; an empty one is
// none.
func (r *Runtime) SetName(id, name string) error {
	if name != "" {
		if _, err := os.Lstat(r.Sandbox(id)); err != nil {
			return err
		}
		note, err := os.OpenFile(r.note(id, name), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		note.Close()
	}
	return r.forgetNames(id, name)
}

func (r *Runtime) note(id, name string) string { return filepath.Join(r.path, id+nameSep+name) }

// forgetNames removes what is noted about a sandbox, except for one name.
func (r *Runtime) forgetNames(id, except string) error {
	notes, err := filepath.Glob(r.note(id, "*"))
	if err != nil {
		return err
	}
	for _, note := range notes {
		if note == r.note(id, except) {
			continue
		}
		if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// LockName keeps everybody else of this root from taking a name while the caller
// finds out whether it is free and takes it. It does not wait: ErrClaimed tells
// that somebody is at it. Unlike most of what is here this matters beyond one
// sandbox, since engines give a taken name of an image to the next who asks.
// The lock is one byte of a file, and the kernel's, so it ends with the process.
func (r *Runtime) LockName(name string) (unlock func(), err error) {
	file, err := r.openLock()
	if err != nil {
		return nil, err
	}
	sum := fnv.New64a()
	sum.Write([]byte(name))
	byName := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(sum.Sum64() >> 2), Len: 1}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &byName); err != nil {
		file.Close()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil, ErrClaimed
		}
		return nil, &fs.PathError{Op: "lock", Path: file.Name(), Err: err}
	}
	return func() { file.Close() }, nil
}

func (r *Runtime) openLock() (*os.File, error) {
	for {
		if err := r.make(); err != nil {
			return nil, err
		}
		file, err := r.openLockFile()
		// The last sandbox of the root may go at this moment, and the
		// runtime directory with it.
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
}

func (r *Runtime) openLockFile() (*os.File, error) {
	gate, err := r.gate(unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	return os.OpenFile(filepath.Join(r.path, namesLock), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
}

// removeLock removes the lock from a directory that holds nothing else. The
// caller has shut the gate.
func (r *Runtime) removeLock() error {
	entries, err := os.ReadDir(r.path)
	if err != nil || len(entries) != 1 || entries[0].Name() != namesLock {
		return err
	}
	return os.Remove(filepath.Join(r.path, namesLock))
}
