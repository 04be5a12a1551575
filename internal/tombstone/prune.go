package tombstone

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// pruneEvery is how often the ages of files are looked at in a store that is
// not full. Each look costs a system call for each file.
const pruneEvery = time.Hour

// Prune removes the records that are too old, and the oldest that are too
// many. Births are left alone: they are as many as sandboxes, and go with them.
func (s *Store) Prune() error {
	names, err := s.names()
	if err != nil || len(names) == 0 {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasSuffix(name, endedSuffix) && !strings.HasSuffix(name, ".tmp")
	})
	if len(names) <= MaxFiles && s.prunedLately() {
		return nil
	}
	files := s.dated(names)
	tooMany := 0
	if len(files) > MaxFiles {
		// Some more, so that the next call has not to do it again.
		tooMany = len(files) - MaxFiles*9/10
	}
	for i, f := range files {
		if i < tooMany || s.now().Sub(f.at) > MaxAge {
			if err := s.unlink(f.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// pruneOneIn is how many records are written between two looks at their number,
// more or less: whoever only creates and kills calls Prune never.
const pruneOneIn = 64

func (s *Store) pruneSometimes() error {
	if rand.N(pruneOneIn) > 0 {
		return nil
	}
	if names, err := s.names(); err != nil || len(names) <= MaxFiles {
		return err
	}
	return s.Prune()
}

// prunedLately tells whether a process has looked at the ages lately, and if
// not that this one does now.
func (s *Store) prunedLately() bool {
	mark := filepath.Join(s.dir, "pruned")
	if info, err := os.Lstat(mark); err == nil && s.now().Sub(info.ModTime()).Abs() < pruneEvery {
		return true
	}
	// Without the mark the next call looks again, which only costs time.
	_ = os.WriteFile(mark, nil, 0o600)
	_ = os.Chtimes(mark, time.Time{}, s.now())
	return false
}

type file struct {
	name string
	at   time.Time
}

// dated sorts files by age, the oldest first.
func (s *Store) dated(names []string) []file {
	var files []file
	for _, name := range names {
		if info, err := os.Lstat(filepath.Join(s.dir, name)); err == nil {
			files = append(files, file{name, info.ModTime()})
		}
	}
	slices.SortFunc(files, func(x, y file) int { return x.at.Compare(y.at) })
	return files
}
