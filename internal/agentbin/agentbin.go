// Package agentbin finds the agent's binary on this machine, so that an engine
// can mount it into a sandbox. A repository or a module holds no binary, so
// there are several places to look, down to building it with the local Go
// toolchain; what costs more than a look at a file is done once per version
// and kept below the Quixand root.
package agentbin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/quixand/quixand/pkg/adapters"
)

const name = "qs-agent"

// Finder finds the agent and remembers where it is. It is safe for concurrent
// use.
type Finder struct {
	root    string
	libexec string // where packages put it

	mu    sync.Mutex
	found string
}

// New returns a Finder that keeps its cache below a Quixand root. It looks at
// nothing yet.
func New(root string) *Finder { return &Finder{root: root, libexec: "/usr/libexec/quixand"} }

// source is a place to look. It returns the path of a binary, or why there is
// none.
type source func(context.Context) (string, error)

// Find returns the absolute path of the agent's binary. The error tells every
// place that was looked at.
func (f *Finder) Find(ctx context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.found != "" && check(f.found) == nil {
		return f.found, nil
	}
	if path := os.Getenv("QS_AGENT"); path != "" && len(embedded) == 0 {
		return f.configured(path)
	}
	var misses []string
	for _, look := range []source{f.unpack, besideProgram, f.installed, f.build} {
		path, err := look(ctx)
		if err == nil {
			f.found = path
			return path, nil
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		misses = append(misses, err.Error())
	}
	return "", &adapters.Error{
		Op: "find agent", Kind: adapters.ErrUnavailable,
		Err:  fmt.Errorf("no %s: QS_AGENT is not set; %s", name, strings.Join(misses, "; ")),
		Hint: "build it with: CGO_ENABLED=0 go build github.com/quixand/quixand/cmd/qs-agent, and set QS_AGENT to its path",
	}
}

// configured takes the path that the user gave and nothing in its place: what
// was asked for and cannot be had is an error.
func (f *Finder) configured(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		err = check(path)
	}
	if err != nil {
		return "", &adapters.Error{Op: "find agent", Kind: adapters.ErrInvalid, Err: fmt.Errorf("QS_AGENT: %w", err)}
	}
	f.found = path
	return path, nil
}

func besideProgram(context.Context) (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	return at(filepath.Dir(program))
}

func (f *Finder) installed(context.Context) (string, error) { return at(f.libexec) }

func at(dir string) (string, error) {
	path := filepath.Join(dir, name)
	err := check(path)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("none in %s", dir)
	}
	return path, err
}

// cacheDir is where versions are kept, each in a directory of its own.
func (f *Finder) cacheDir() string { return filepath.Join(f.root, "cache", "agent") }

// install puts a binary into the cache: write writes it to the path that it is
// given. Others may do the same at this moment; the last one wins, with the
// same content.
func (f *Finder) install(version string, write func(path string) error) (string, error) {
	if err := os.MkdirAll(f.cacheDir(), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(f.cacheDir(), ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	fresh := filepath.Join(tmp, name)
	if err := write(fresh); err != nil {
		return "", err
	}
	if err := check(fresh); err != nil {
		return "", err
	}
	dir := filepath.Join(f.cacheDir(), version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	return path, os.Rename(fresh, path)
}
