package template

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// Ignore says which files of a context do not exist for the build.
type Ignore struct {
	matcher *patternmatcher.PatternMatcher
}

// openIgnore reads the first ignore file that there is, in podman's order: one
// beside the recipe and named after it, .containerignore, .dockerignore.
func openIgnore(dir, recipe string) (*Ignore, error) {
	names := []string{filepath.Join(dir, ".containerignore"), filepath.Join(dir, ".dockerignore")}
	if recipe != "" {
		names = append([]string{recipe + ".containerignore", recipe + ".dockerignore"}, names...)
	}
	for _, name := range names {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		text, err := readSmall(name)
		if err != nil {
			return nil, err
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err != nil {
			return nil, within(name, err)
		}
		matcher, err := patternmatcher.New(patterns)
		if err != nil {
			return nil, within(name, err)
		}
		return &Ignore{matcher}, nil
	}
	return &Ignore{}, nil
}

// parent is what is known of a directory when its files are looked at.
type parent = patternmatcher.MatchInfo

// ignores reports whether a file is left out; its directory's result makes
// that quick.
func (i *Ignore) ignores(name string, dir parent) (bool, parent, error) {
	if i.matcher == nil {
		return false, parent{}, nil
	}
	return i.matcher.MatchesUsingParentResults(name, dir)
}

// excepts reports whether files below an ignored directory may be wanted
// again, by a pattern that begins with an exclamation mark.
func (i *Ignore) excepts() bool { return i.matcher != nil && i.matcher.Exclusions() }
