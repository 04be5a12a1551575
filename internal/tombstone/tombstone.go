// Package tombstone remembers for a while what became of sandboxes: one small
// file for each that has ended, and one for each that was begun, so that it is
// missed when it vanishes with its host's session.
//
// The files are a cache. They may be deleted at any time, by hand or with the
// Quixand root; then nobody knows any more why a sandbox ended, and nothing
// else is lost. They hold words of sandboxes, which are hostile: what is read
// is bounded in size, and whoever prints it must make it safe first.
package tombstone

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// The bounds of what is kept.
const (
	MaxFiles = 1000
	MaxAge   = 24 * time.Hour
	MaxBytes = 16 << 10
)

// What a file's name ends with.
const (
	endedSuffix = ".json"
	birthSuffix = ".birth"
)

// Store keeps the records of one Quixand root. It is safe for concurrent use,
// also by many processes: a record appears as a whole or not at all.
type Store struct {
	root string
	dir  string
	now  func() time.Time
}

// Open returns the store of a root. Nothing is made yet.
func Open(root string) *Store {
	return &Store{root, filepath.Join(root, "tombstones"), time.Now}
}

// Bury remembers how a sandbox ended, instead of what was remembered of it.
func (s *Store) Bury(e *adapters.Ended) error {
	return s.bury(e, os.Rename)
}

// BuryOnce is Bury for one who only found the sandbox dead: whoever has
// remembered something before knew better.
func (s *Store) BuryOnce(e *adapters.Ended) error {
	err := s.bury(e, func(from, to string) error { return errors.Join(os.Link(from, to), os.Remove(from)) })
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (s *Store) bury(e *adapters.Ended, place func(from, to string) error) error {
	text, err := marshal(e)
	if err != nil {
		return err
	}
	if err := s.write(e.ID+endedSuffix, text, place); err != nil {
		return err
	}
	return errors.Join(s.unlink(e.ID+birthSuffix), s.pruneSometimes())
}

// marshal leaves out what makes a record too large, the least missed first.
func marshal(e *adapters.Ended) ([]byte, error) {
	text, err := json.Marshal(e)
	for _, shorten := range []func(*adapters.Ended){
		func(e *adapters.Ended) { e.Metadata = nil },
		func(e *adapters.Ended) { e.Output = "" },
		func(e *adapters.Ended) { e.Detail, e.By, e.Image = "", "", "" },
	} {
		if err != nil || len(text) <= MaxBytes {
			return text, err
		}
		shorter := *e
		e = &shorter
		shorten(e)
		text, err = json.Marshal(e)
	}
	return text, err
}

// write makes a file appear under its name as a whole. Nothing is synced: after
// a crash of the host a record may be missing, which is what a cache may be.
func (s *Store) write(name string, text []byte, place func(from, to string) error) error {
	for {
		err := s.writeOnce(name, text, place)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Somebody deletes the directory, now or before.
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return err
		}
	}
}

func (s *Store) writeOnce(name string, text []byte, place func(from, to string) error) error {
	f, err := os.CreateTemp(s.dir, name+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = place(f.Name(), filepath.Join(s.dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Forget removes the record of an end that did not come.
func (s *Store) Forget(id string) error { return s.unlink(id + endedSuffix) }

func (s *Store) unlink(name string) error {
	err := os.Remove(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Find returns what is remembered of one sandbox's end. fs.ErrNotExist tells
// that nothing is.
func (s *Store) Find(id string) (*adapters.Ended, error) {
	text, err := s.read(id + endedSuffix)
	if err != nil {
		return nil, err
	}
	e := new(adapters.Ended)
	if err := json.Unmarshal(text, e); err != nil {
		return nil, unreadable(id, err)
	}
	if e.ID != id || s.now().Sub(e.Time) > MaxAge {
		return nil, unreadable(id, fs.ErrNotExist)
	}
	return e, nil
}

// unreadable says of a damaged record that there is none: nobody can do
// anything about it.
func unreadable(id string, err error) error {
	return fmt.Errorf("record of sandbox %s: %w: %w", id, fs.ErrNotExist, err)
}

// read reads a file of ours, which is small and no link.
func (s *Store) read(name string) ([]byte, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err == nil && len(text) > MaxBytes {
		err = errors.New("the file is too large")
	}
	if err != nil {
		return nil, unreadable(name, err)
	}
	return text, nil
}

// All returns what is remembered of all ends, the latest first.
func (s *Store) All() ([]*adapters.Ended, error) {
	ids, err := s.ids(endedSuffix)
	if err != nil {
		return nil, err
	}
	var all []*adapters.Ended
	for _, id := range ids {
		if e, err := s.Find(id); err == nil {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(x, y *adapters.Ended) int { return y.Time.Compare(x.Time) })
	return all, nil
}

// ids lists the sandboxes that have a file of a kind.
func (s *Store) ids(suffix string) ([]string, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, name := range names {
		if id, ok := strings.CutSuffix(name, suffix); ok && adapters.ValidID(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (s *Store) names() ([]string, error) {
	dir, err := os.Open(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}
