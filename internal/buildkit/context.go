package buildkit

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/quixand/quixand/pkg/adapters"
)

// What the daemon gets has the recipe beside a directory with the files, so that
// no instruction can see it. Secrets do not go with the files at all.
const (
	recipeName = "recipe"
	contextDir = "context"
	// sessionURL has the daemon ask the session for what comes after it. It is
	// another for each build: what has the same URL is the same to the daemon, even
	// for builds of others that go on at this moment.
	sessionURL = "http://buildkit-session/"
)

// source is what is built from.
type source struct {
	recipe  []byte
	secrets map[string][]byte
	hidden  []string
	rest    *tar.Reader
	next    *tar.Header // of the rest, or nil at its end
}

// openContext reads what comes before the files: the recipe, and secrets.
func openContext(spec *adapters.BuildSpec) (*source, error) {
	s := &source{secrets: make(map[string][]byte), hidden: spec.Hidden, rest: tar.NewReader(spec.Context)}
	own := map[string]func([]byte){spec.Recipe: func(b []byte) { s.recipe = b }}
	for id, name := range spec.Secrets {
		own[name] = func(b []byte) { s.secrets[id] = b }
	}
	for {
		header, err := s.rest.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if header == nil || own[header.Name] == nil {
			s.next = header
			break
		}
		content, err := io.ReadAll(s.rest)
		if err != nil {
			return nil, err
		}
		own[header.Name](content)
		delete(own, header.Name)
	}
	for name := range own {
		return nil, fmt.Errorf("%s is not at the beginning of what is to be built from", name)
	}
	return s, nil
}

// write streams recipe and files, once.
func (s *source) write(w io.Writer) error {
	t := tar.NewWriter(w)
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: recipeName, Mode: 0o600, Size: int64(len(s.recipe))}); err != nil {
		return err
	}
	if _, err := t.Write(s.recipe); err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: contextDir + "/", Mode: 0o755}); err != nil {
		return err
	}
	buf := make([]byte, chunk)
	for s.next != nil {
		if err := s.copyNext(t, buf); err != nil {
			return err
		}
	}
	return t.Close()
}

// copyNext copies one file, and goes on to the one after it.
func (s *source) copyNext(t *tar.Writer, buf []byte) error {
	header := s.next
	if !s.hides(header.Name) {
		header.Name = contextDir + "/" + header.Name
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.CopyBuffer(t, s.rest, buf); err != nil {
			return err
		}
	}
	next, err := s.rest.Next()
	s.next = next
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (s *source) hides(name string) bool {
	return slices.ContainsFunc(s.hidden, func(pattern string) bool {
		match, _ := path.Match(pattern, name)
		return match
	})
}
