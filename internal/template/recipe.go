package template

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Recipe is a Dockerfile that has been understood as far as is needed here.
type Recipe struct {
	Text []byte
	// Sources are the patterns of the files that are taken from the context,
	// relative to it, as path.Match knows them. All says that they cannot be
	// told from the text: any file may be used.
	Sources []string
	All     bool

	lines       map[string]int // where each instruction begins
	sourceLines map[string]int // where each source is named last
}

// Line is where an instruction begins, as a builder quotes it, or zero.
func (r *Recipe) Line(instruction string) int { return r.lines[normal(instruction)] }

// normal is an instruction without what builders change when they quote it.
func normal(instruction string) string {
	return strings.ToLower(strings.Join(strings.Fields(instruction), " "))
}

// Parse reads a Dockerfile. An error names the line.
func Parse(text []byte) (*Recipe, error) {
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, atLine(err)
	}
	r := &Recipe{Text: text, lines: make(map[string]int), sourceLines: make(map[string]int)}
	var from bool
	for _, n := range result.AST.Children {
		r.lines[normal(n.Original)] = n.StartLine
		from = from || strings.EqualFold(n.Value, "from")
		if err := r.instruction(n); err != nil {
			return nil, invalid("line %d: %v", n.StartLine, err)
		}
	}
	if !from {
		return nil, invalid("there is no FROM instruction")
	}
	slices.Sort(r.Sources)
	r.Sources = slices.Compact(r.Sources)
	return r, nil
}

func atLine(err error) error {
	where, ok := errors.AsType[*parser.LocationError](err)
	if ok && len(where.Locations) > 0 && len(where.Locations[0]) > 0 {
		if line := where.Locations[0][0].Start.Line; line > 0 {
			return invalid("line %d: %v", line, err)
		}
	}
	return invalid("%v", err)
}

// known are the instructions of a Dockerfile; an engine would find a wrong one
// only when it comes to it.
var known = []string{
	"add", "arg", "cmd", "copy", "entrypoint", "env", "expose", "from", "healthcheck", "label",
	"maintainer", "onbuild", "run", "shell", "stopsignal", "user", "volume", "workdir",
}

func (r *Recipe) instruction(n *parser.Node) error {
	switch name := strings.ToLower(n.Value); {
	case !slices.Contains(known, name):
		return fmt.Errorf("unknown instruction %.40q", n.Value)
	case name == "copy" || name == "add":
		return r.copies(n)
	case name == "run":
		r.mounts(n)
	}
	return nil
}

// copies notes what COPY or ADD takes from the context.
func (r *Recipe) copies(n *parser.Node) error {
	if flag(n, "from") != "" {
		return nil // another stage or image
	}
	var words []string
	for w := n.Next; w != nil; w = w.Next {
		words = append(words, w.Value)
	}
	if len(words) < 2 {
		return fmt.Errorf("%s needs a source and a destination", strings.ToUpper(n.Value))
	}
	for _, source := range words[:len(words)-1] {
		if err := r.source(source, n.StartLine); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recipe) source(s string, line int) error {
	switch {
	case strings.HasPrefix(s, "<<"), strings.Contains(s, "://"), strings.HasPrefix(s, "git@"):
		return nil // here, or elsewhere
	case strings.ContainsAny(s, "$`"):
		r.All = true
		return nil
	}
	if slices.Contains(strings.Split(s, "/"), "..") && strings.HasPrefix(path.Clean(s), "..") {
		return fmt.Errorf("%s leads out of the context", s)
	}
	clean := strings.TrimPrefix(path.Clean("/"+s), "/")
	if clean == "" {
		r.All = true
		return nil
	}
	if _, err := path.Match(clean, ""); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	r.Sources = append(r.Sources, clean)
	r.sourceLines[clean] = line
	return nil
}

// mounts notes what RUN can see of the context: a bind mount shows all of it.
func (r *Recipe) mounts(n *parser.Node) {
	for _, f := range n.Flags {
		if strings.HasPrefix(f, "--mount=") && !strings.Contains(f, "from=") &&
			(strings.Contains(f, "type=bind") || !strings.Contains(f, "type=")) {
			r.All = true
		}
	}
}

// flag returns the value of a flag such as --from=build.
func flag(n *parser.Node, name string) string {
	for _, f := range n.Flags {
		if value, ok := strings.CutPrefix(f, "--"+name+"="); ok {
			return value
		}
	}
	return ""
}

// uses reports whether an instruction may take the file: its own name, or that
// of a directory above it, matches a source.
func (r *Recipe) uses(name string) bool {
	if r.All {
		return true
	}
	for prefix := name; prefix != "."; prefix = path.Dir(prefix) {
		for _, s := range r.Sources {
			if ok, _ := path.Match(s, prefix); ok {
				return true
			}
		}
	}
	return false
}

// leadsTo reports whether a file below a directory may be used.
func (r *Recipe) leadsTo(dir string) bool {
	if r.uses(dir) {
		return true
	}
	depth := strings.Count(dir, "/") + 1
	for _, s := range r.Sources {
		parts := strings.Split(s, "/")
		if len(parts) <= depth {
			continue
		}
		if ok, _ := path.Match(strings.Join(parts[:depth], "/"), dir); ok {
			return true
		}
	}
	return false
}
