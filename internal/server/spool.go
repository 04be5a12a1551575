package server

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/filelock"
)

const (
	// keepAge is how long files are kept that no build has asked for lately, and
	// keepAnyway how long they are kept although their key needs the room: a
	// build that begins soon has sent them.
	keepAge    = 24 * time.Hour
	keepAnyway = 10 * time.Minute
	// chunk is after how many bytes of an upload its key's room is looked at.
	chunk = 16 << 20
)

const (
	lockName   = "lock"
	unfinished = ".part" // ends the names of what is locked
)

var errFull = errors.New("this key keeps too many files for builds: those that no build has asked for lately are forgotten after a while")

// spool is a directory of what clients have sent, in files KEY-NAME. What is
// being written or unpacked is locked by the process that does so: without its
// lock it is what a server that was killed has left.
type spool struct {
	dir  string
	most int64 // bytes that are kept for a key
}

// enter waits for the lock of the spool. Who has it may make something that is
// not locked yet.
func (s *spool) enter(ctx context.Context) (*filelock.Lock, error) {
	return filelock.Acquire(ctx, filepath.Join(s.dir, lockName))
}

// store keeps content at path, where it appears as a whole. size is how long it
// says it is, or -1.
func (s *spool) store(ctx context.Context, key, path string, content io.Reader, size int64) error {
	if err := s.makeRoom(key, max(size, 0)); err != nil {
		return err
	}
	f, err := s.begin(ctx, key)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	for err == nil {
		if _, err = io.CopyN(f, content, chunk); err == nil {
			err = s.makeRoom(key, 0)
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if err := s.makeRoom(key, 0); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// begin makes a file that is locked until it is closed.
func (s *spool) begin(ctx context.Context, key string) (*os.File, error) {
	lock, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	s.forget()
	f, err := os.CreateTemp(s.dir, key+"-*"+unfinished)
	if err != nil {
		return nil, err
	}
	return f, filelock.Flock(f, unix.LOCK_EX|unix.LOCK_NB)
}

// tempDir makes a directory that is locked until it is removed.
func (s *spool) tempDir(ctx context.Context) (dir string, remove func(), err error) {
	lock, err := s.enter(ctx)
	if err != nil {
		return "", nil, err
	}
	defer lock.Release()
	if dir, err = os.MkdirTemp(s.dir, "build-*"+unfinished); err != nil {
		return "", nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return dir, func() { os.RemoveAll(dir); f.Close() }, filelock.Flock(f, unix.LOCK_EX|unix.LOCK_NB)
}

// forget removes what nobody has asked for lately, and what killed servers have
// left. It is for who has entered.
func (s *spool) forget() {
	for _, f := range s.files("") {
		if strings.HasSuffix(f.name, unfinished) && !locked(filepath.Join(s.dir, f.name)) || time.Since(f.used) > keepAge {
			_ = os.RemoveAll(filepath.Join(s.dir, f.name))
		}
	}
}

// sweep is forget for when a server starts.
func (s *spool) sweep(ctx context.Context) error {
	lock, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	s.forget()
	return nil
}

// locked reports whether somebody has locked a file.
func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return filelock.Flock(f, unix.LOCK_SH|unix.LOCK_NB) != nil
}

// makeRoom sees to it that size bytes more of a key's can be kept, and forgets
// its oldest for that.
func (s *spool) makeRoom(key string, size int64) error {
	own := s.files(key + "-")
	for _, f := range own {
		size += f.size
	}
	slices.SortFunc(own, func(a, b spoolFile) int { return a.used.Compare(b.used) })
	for _, f := range own {
		if size <= s.most || time.Since(f.used) < keepAnyway {
			break
		}
		if os.Remove(filepath.Join(s.dir, f.name)) == nil {
			size -= f.size
		}
	}
	if size > s.most {
		return errFull
	}
	return nil
}

type spoolFile struct {
	name string
	size int64
	used time.Time
}

// files are those whose names begin with prefix, but for the lock.
func (s *spool) files(prefix string) (all []spoolFile) {
	entries, _ := os.ReadDir(s.dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Name() != lockName && strings.HasPrefix(e.Name(), prefix) {
			all = append(all, spoolFile{e.Name(), info.Size(), info.ModTime()})
		}
	}
	return all
}
