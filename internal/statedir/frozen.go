package statedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/quixand/quixand/internal/filelock"
)

// A snapshot freezes its sandbox for a moment. Whoever asks for one notes it,
// and holds a lock on the note: a note that nobody holds is that of a process
// that died, maybe with the engine, and maybe before the sandbox was thawed.

func (r *Runtime) frozen(id string) string { return filepath.Join(r.path, id+".frozen") }

// Freeze notes that the caller has a sandbox frozen for a moment. Several may at
// once; the last one's thawed removes the note.
func (r *Runtime) Freeze(id string) (thawed func(), err error) {
	note, err := os.OpenFile(r.frozen(id), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Flock(note, syscall.LOCK_SH); err != nil {
		note.Close()
		return nil, err
	}
	return func() {
		if filelock.Flock(note, syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = r.Thawed(id)
		}
		note.Close()
	}, nil
}

// LeftFrozen reports whether the process that had a sandbox frozen has died.
func (r *Runtime) LeftFrozen(id string) bool {
	note, err := os.OpenFile(r.frozen(id), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer note.Close()
	return filelock.Flock(note, syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// Thawed removes the note, if there is one.
func (r *Runtime) Thawed(id string) error {
	err := os.Remove(r.frozen(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
