package template

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Entry is a file of the context that the recipe may use.
type Entry struct {
	Name string // relative to the context, with slashes
	Info fs.FileInfo
	Link string // where a symbolic link leads
}

// walk calls f for every file that the recipe may use, each directory before
// what is in it, in the order of names. Links are not followed. What is neither
// file, directory nor link is an error: no build could copy it.
func (s *Source) walk(f func(*os.Root, Entry) error) error {
	if s.Dir == "" {
		return nil
	}
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return s.walkDir(root, ".", parent{}, func(e Entry) error { return f(root, e) })
}

func (s *Source) walkDir(root *os.Root, dir string, above parent, f func(Entry) error) error {
	names, err := namesIn(root, dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.visit(root, path.Join(dir, name), above, f); err != nil {
			return err
		}
	}
	return nil
}

// namesIn lists a directory. It is by far the most that is kept of a context in
// memory: entries as os.ReadDir gives them would take ten times as much.
func namesIn(root *os.Root, dir string) ([]string, error) {
	d, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func (s *Source) visit(root *os.Root, name string, above parent, f func(Entry) error) error {
	ignored, match, err := s.Ignore.ignores(filepath.FromSlash(name), above)
	if err != nil {
		return err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return fmt.Errorf("context: %w", err)
	}
	wanted := !ignored && s.Recipe.uses(name)
	if wanted {
		entry, err := entryOf(root, name, info)
		if err != nil {
			return err
		}
		if err := f(entry); err != nil {
			return err
		}
	}
	if info.IsDir() && (wanted || ignored && s.Ignore.excepts() || !ignored && s.Recipe.leadsTo(name)) {
		return s.walkDir(root, name, match, f)
	}
	return nil
}

func entryOf(root *os.Root, name string, info fs.FileInfo) (e Entry, err error) {
	e = Entry{Name: name, Info: info}
	switch info.Mode().Type() {
	case 0, fs.ModeDir:
	case fs.ModeSymlink:
		e.Link, err = root.Readlink(name)
	default:
		err = invalid("%s cannot be part of an image: %v", name, info.Mode())
	}
	if err != nil {
		return Entry{}, fmt.Errorf("context: %w", err)
	}
	return e, nil
}
