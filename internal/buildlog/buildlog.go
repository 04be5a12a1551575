// Package buildlog remembers how templates were built: when, for how long, and
// the last lines of output, also of builds that failed. There is one file for
// each template, with its latest builds.
//
// The files are a cache. All but the output and the failures is in the labels of
// the images, too, so they may be deleted at any time. What they hold was written
// by the commands of recipes: it is bounded in size, and whoever prints it must
// make it safe first.
package buildlog

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The bounds of what is kept.
const (
	MaxTemplates = 500
	MaxRecords   = 10 // of a template
	MaxLines     = 200
	MaxLine      = 300     // bytes
	maxFile      = 4 << 20 // more than all of them, whatever has to be escaped
)

// Record is one build.
type Record struct {
	Hash   string        `json:"hash"`
	Began  time.Time     `json:"began"`
	Took   time.Duration `json:"took"`
	Engine string        `json:"engine"`
	Error  string        `json:"error,omitempty"` // why it failed
	Log    []string      `json:"log"`
}

// Add adds a line of output, in place of the first one where there are too many.
func (r *Record) Add(line string) {
	if len(line) > MaxLine {
		line = strings.ToValidUTF8(line[:MaxLine], "") + "..."
	}
	r.Log = append(r.Log, line)
	r.Log = r.Log[max(0, len(r.Log)-MaxLines):]
}

// Store keeps the records of one Quixand root.
type Store struct{ dir string }

// Open returns the store in a directory. Nothing is made yet.
func Open(dir string) *Store { return &Store{dir} }

const suffix = ".json"

func (s *Store) path(name string) string { return filepath.Join(s.dir, name+suffix) }

// Save adds a record to those of a template. The caller sees to it that nobody
// else does so at this moment; readers find the old records or the new ones.
func (s *Store) Save(name string, r *Record) error {
	records := append([]*Record{r}, s.Read(name)...)
	text, err := json.Marshal(records[:min(len(records), MaxRecords)])
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.dir, ".record-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), s.path(name)); err != nil {
		return err
	}
	return s.prune()
}

// Read returns the records of a template, the latest first; none when there are
// none that can be read.
func (s *Store) Read(name string) []*Record {
	f, err := os.Open(s.path(name))
	if err != nil {
		return nil
	}
	defer f.Close()
	var records []*Record
	if err := json.NewDecoder(io.LimitReader(f, maxFile)).Decode(&records); err != nil {
		return nil
	}
	return slices.DeleteFunc(records, func(r *Record) bool { return r == nil })
}

// Forget removes the records of a template.
func (s *Store) Forget(name string) error {
	err := os.Remove(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// prune removes the records of the templates that were not built for longest,
// when there are too many: of those that never came to be, nobody removes them.
func (s *Store) prune() error {
	paths, err := filepath.Glob(s.path("*"))
	if err != nil || len(paths) <= MaxTemplates {
		return err
	}
	age := make(map[string]time.Time, len(paths))
	for _, path := range paths {
		if info, err := os.Lstat(path); err == nil {
			age[path] = info.ModTime()
		}
	}
	slices.SortFunc(paths, func(x, y string) int { return age[x].Compare(age[y]) })
	for _, path := range paths[:len(paths)-MaxTemplates] {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
