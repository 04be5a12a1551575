package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/quixand/quixand/internal/filelock"
)

// ErrClaimed says that another process holds the directory: it is creating or
// removing the sandbox at this moment.
var ErrClaimed = errors.New("another process is at work on it")

// Claim is one process's hold on the directory of a sandbox. It is a lock of
// the kernel's, so it ends with the process, however that ends.
type Claim struct {
	runtime *Runtime
	id      string
	dir     *os.File
}

// Create makes the directory of a new sandbox and claims it. An existing one
// is fs.ErrExist.
func (r *Runtime) Create(id string) (*Claim, error) {
	for {
		claim, err := r.create(id)
		// The last sandbox of the root may go at this moment, and the
		// runtime directory with it.
		if !errors.Is(err, fs.ErrNotExist) {
			return claim, err
		}
	}
}

func (r *Runtime) create(id string) (*Claim, error) {
	if err := r.make(); err != nil {
		return nil, err
	}
	// No sweep may see the directory before the claim holds.
	gate, err := r.gate(syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	if err := os.Mkdir(r.Sandbox(id), 0o700); err != nil {
		return nil, err
	}
	return r.claim(id)
}

// Claim takes hold of an existing directory. It does not wait: ErrClaimed
// tells that someone else has it, fs.ErrNotExist that it is gone.
func (r *Runtime) Claim(id string) (*Claim, error) {
	gate, err := r.gate(syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	return r.claim(id)
}

// gate locks the runtime directory itself: shared by those who create, who
// do not mind each other, exclusive for those who look for stale directories.
// It is held for no longer than a few system calls, hence the wait.
func (r *Runtime) gate(how int) (*os.File, error) {
	for {
		dir, err := openDir(r.path)
		if err != nil {
			return nil, err
		}
		if err = filelock.Flock(dir, how); err == nil {
			err = checkNamed(dir)
		}
		if err == nil {
			return dir, nil
		}
		dir.Close()
		// Another directory may have the name by now.
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

func (r *Runtime) claim(id string) (*Claim, error) {
	dir, err := openDir(r.Sandbox(id))
	if err != nil {
		return nil, err
	}
	err = filelock.Flock(dir, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s: %w", dir.Name(), ErrClaimed)
	}
	if err == nil {
		err = checkNamed(dir)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return &Claim{r, id, dir}, nil
}

// checkNamed makes sure that the path of an open directory still names it:
// whoever held its lock before may have removed it.
func checkNamed(dir *os.File) error {
	held, err := dir.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(dir.Name())
	if err != nil {
		return err
	}
	if !os.SameFile(held, named) {
		return &fs.PathError{Op: "claim", Path: dir.Name(), Err: fs.ErrNotExist}
	}
	return nil
}

// Path is the directory.
func (c *Claim) Path() string { return c.dir.Name() }

// Release gives up the claim and leaves the directory as it is.
func (c *Claim) Release() { c.dir.Close() }

// Remove removes the directory with all that is in it, and the log. The
// sandbox must be dead: what is in there was its own. The claim is kept.
func (c *Claim) Remove() error {
	if err := os.Remove(c.runtime.Log(c.id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := errors.Join(c.runtime.forgetNames(c.id, ""), c.runtime.Thawed(c.id)); err != nil {
		return err
	}
	if err := os.RemoveAll(c.dir.Name()); err != nil {
		return err
	}
	return c.runtime.removeEmpty()
}

// removeEmpty removes the runtime directory after the last of its sandboxes.
func (r *Runtime) removeEmpty() error {
	gate, err := r.gate(syscall.LOCK_EX)
	if err == nil {
		defer gate.Close()
		err = errors.Join(r.removeLock(), os.Remove(r.path))
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil
	}
	return err
}

// openDir opens a directory for locking; links are not followed.
func openDir(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
}
