package template

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// maxLinks bounds how often one source can be led elsewhere, as the kernel does.
const maxLinks = 40

// followLinks adds to the sources what links among them lead to. A builder copies
// the file and not the link that COPY names, and takes the context for the root
// of all paths, so that no link leads out of it.
func (r *Recipe) followLinks(root *os.Root) error {
	for _, source := range slices.Clone(r.Sources) {
		f := follower{Recipe: r, root: root, source: source}
		if err := f.follow(".", strings.Split(source, "/"), ""); err != nil {
			return err
		}
	}
	slices.Sort(r.Sources)
	r.Sources = slices.Compact(r.Sources)
	return nil
}

// follower goes along one source.
type follower struct {
	*Recipe
	root   *os.Root
	source string
	links  int
}

// follow looks for links where the parts of a path lead from dir. link is the one
// that has led here, if any.
func (f *follower) follow(dir string, parts []string, link string) error {
	names, err := f.matches(dir, parts[0])
	if err == nil && len(names) == 0 && link != "" {
		return f.refuse("%s is a link to what the context does not have", link)
	}
	for _, name := range names {
		if err := f.step(path.Join(dir, name), parts[1:], link); err != nil {
			return err
		}
	}
	return err
}

func (f *follower) step(name string, rest []string, link string) error {
	info, err := f.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && link != "":
		return f.refuse("%s is a link to what the context does not have", link)
	case errors.Is(err, fs.ErrNotExist):
		return nil // the builder tells
	case err != nil:
		return fmt.Errorf("context: %w", err)
	case info.Mode().Type() == fs.ModeSymlink:
		return f.link(name, rest)
	case len(rest) > 0:
		return f.follow(name, rest, link)
	}
	return nil
}

func (f *follower) link(name string, rest []string) error {
	if f.links++; f.links > maxLinks {
		return f.refuse("%s is one of too many links", name)
	}
	to, err := f.root.Readlink(name)
	if err != nil {
		return fmt.Errorf("context: %w", err)
	}
	if !path.IsAbs(to) {
		to = path.Join("/", path.Dir(name), to)
	}
	// Other parts may be patterns; this one is not.
	target := escaped.Replace(strings.TrimPrefix(path.Clean(to), "/"))
	if target == "" {
		f.All = true
		return nil
	}
	parts := append(strings.Split(target, "/"), rest...)
	f.Sources = append(f.Sources, escaped.Replace(name), strings.Join(parts, "/"))
	return f.follow(".", parts, name)
}

// escaped makes a pattern of a name.
var escaped = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// matches are the names in a directory that a part of a pattern means.
func (f *follower) matches(dir, pattern string) ([]string, error) {
	names, err := namesIn(f.root, dir)
	if err != nil {
		return nil, nil // no directory: the builder tells
	}
	return slices.DeleteFunc(names, func(name string) bool {
		ok, _ := path.Match(pattern, name)
		return !ok
	}), nil
}

// refuse leaves patterns to the builder: what they match may be ignored.
func (f *follower) refuse(format string, args ...any) error {
	if strings.ContainsAny(f.source, `*?[\`) {
		return nil
	}
	return invalid("line %d: %s: "+format, append([]any{f.sourceLines[f.source], f.source}, args...)...)
}
