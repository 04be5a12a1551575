package quixand

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Glob returns the paths that match the pattern, whose syntax is path.Match's, in
// lexical order. Relative patterns give relative paths. As with the standard
// library's, directories that cannot be read match nothing.
func (f *Files) Glob(ctx context.Context, pattern string) ([]string, error) {
	paths, err := f.glob(ctx, pattern)
	return paths, f.wrap(ctx, "glob", pattern, err)
}

func (f *Files) glob(ctx context.Context, pattern string) ([]string, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, invalid("pattern %q: %w", pattern, err)
	}
	if pattern == "" {
		return nil, nil
	}
	g := &globber{ctx: ctx, files: f}
	rest := pattern
	switch {
	case strings.HasPrefix(pattern, "/"):
		g.root, rest = "/", strings.TrimLeft(pattern, "/")
	case strings.HasPrefix(pattern, "~/"):
		g.root, rest = "~/", strings.TrimLeft(pattern[2:], "/")
	}
	matches, err := fs.Glob(g, rest)
	if err == nil {
		err = g.err
	}
	for i, m := range matches {
		matches[i] = g.root + m
	}
	slices.Sort(matches)
	return matches, err
}

// globber is as much of an fs.FS as fs.Glob wants, for names that may contain
// "..". fs.Glob passes over every error; the globber remembers those that are
// not about a file.
type globber struct {
	ctx   context.Context
	files *Files
	root  string
	err   error
}

func (g *globber) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
}

func (g *globber) Stat(name string) (fs.FileInfo, error) {
	e, err := g.files.stat(g.ctx, g.root+name)
	if err != nil {
		return nil, g.failed(err)
	}
	return newEntry(e).FileInfo(), nil
}

func (g *globber) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := g.files.list(g.ctx, g.root+name, 1)
	if err != nil {
		return nil, g.failed(err)
	}
	entries := make([]fs.DirEntry, len(list))
	for i, e := range list {
		entries[i] = fileInfo{e, e.Name}
	}
	return entries, nil
}

func (g *globber) failed(err error) error {
	if _, said := errors.AsType[*Error](err); g.err == nil && !(said && saidByAgent(err)) {
		g.err = err
	}
	return err
}
