package agentbin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/version"
)

const (
	module = "github.com/quixand/quixand"

	// buildTimeout is for a slow machine with an empty build cache.
	buildTimeout = 5 * time.Minute
	// staleAfter is when a build of sources that have changed since is
	// removed.
	staleAfter = 24 * time.Hour
)

// build returns the agent of this program's own version from the cache, or
// makes it with the Go toolchain: from the sources that the program was
// compiled from when they are at hand, else from the module proxy.
func (f *Finder) build(ctx context.Context) (string, error) {
	src := sourceDir()
	wanted, err := buildVersion(src)
	if err != nil {
		return "", err
	}
	path := filepath.Join(f.cacheDir(), wanted, name)
	if check(path) == nil {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	path, err = f.install(wanted, func(path string) error {
		if src != "" {
			return goBuild(ctx, src, path)
		}
		return goInstall(ctx, wanted, path)
	})
	if err != nil {
		return "", fmt.Errorf("none in %s, and building it: %w", f.cacheDir(), err)
	}
	f.prune(path)
	return path, nil
}

// sourceDir is the directory of the module that this package was compiled
// from, or empty when the binary does not tell (-trimpath) or it is gone.
func sourceDir() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return ""
	}
	dir := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	if _, err := os.Stat(filepath.Join(dir, "cmd", name)); err != nil {
		return ""
	}
	return dir
}

// buildVersion names the version of the agent that belongs to this program:
// the module's own where there is one, else a sum over the sources.
func buildVersion(src string) (string, error) {
	if v := version.Module(); v != "" {
		return v, nil
	}
	if src == "" {
		return "", errors.New("it cannot be built: the program knows neither its version nor its sources")
	}
	sum, err := sourceSum(src)
	if err != nil {
		return "", err
	}
	return develPrefix + sum, nil
}

const develPrefix = "devel-"

// sourceSum tells versions of a checkout apart by names, sizes and times: it
// must not read the files, for it is part of every creation.
func sourceSum(src string) (string, error) {
	h := fnv.New64a()
	for _, part := range []string{"go.mod", "go.sum", "cmd/" + name, "internal"} {
		err := filepath.WalkDir(filepath.Join(src, part), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(h, path, info.Size(), info.ModTime().UnixNano())
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%016x", h.Sum64()), nil
}

func goBuild(ctx context.Context, src, path string) error {
	return runGo(ctx, src, "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./cmd/"+name)
}

func goInstall(ctx context.Context, version, path string) error {
	return runGo(ctx, filepath.Dir(path), "install", "-trimpath", "-ldflags=-s -w", module+"/cmd/"+name+"@"+version)
}

// runGo runs the toolchain without the flags and the workspace of whatever
// the user is working on.
func runGo(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH,
		"GOFLAGS=-buildvcs=false", "GOWORK=off", "GOBIN="+dir)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("go %s: %w: %s", args[0], err, lastLine(output.String()))
	}
	return nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// prune removes what was built from sources that have changed since. Sandboxes
// that run one of them keep it: a mount outlives the name.
func (f *Finder) prune(keep string) {
	entries, err := os.ReadDir(f.cacheDir())
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(f.cacheDir(), e.Name())
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), develPrefix) && dir != filepath.Dir(keep) &&
			time.Since(info.ModTime()) > staleAfter {
			os.RemoveAll(dir)
		}
	}
}
