package agentbin

import (
	"context"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

func write(t *testing.T, path string, mode os.FileMode, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// program is the beginning of this test's own binary, which is for this
// machine.
func program(t *testing.T) []byte {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 64)
	if _, err := f.Read(head); err != nil {
		t.Fatal(err)
	}
	return head
}

func TestConfigured(t *testing.T) {
	dir := t.TempDir()
	good := program(t)
	foreign := append([]byte(nil), good...)
	foreign[18], foreign[19] = byte(elf.EM_MIPS), 0
	for name, test := range map[string]struct {
		path string
		ok   bool
	}{
		"program":          {write(t, dir+"/good", 0o755, good), true},
		"not executable":   {write(t, dir+"/data", 0o644, good), false},
		"other machine":    {write(t, dir+"/foreign", 0o755, foreign), false},
		"script":           {write(t, dir+"/script", 0o755, []byte("#!/bin/sh\nexec something long enough\n")), false},
		"short":            {write(t, dir+"/short", 0o755, []byte("\x7fELF")), false},
		"directory":        {dir, false},
		"nothing":          {dir + "/nothing", false},
		"nothing, nowhere": {"/proc/self/nothing", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("QS_AGENT", test.path)
			got, err := New(t.TempDir()).Find(t.Context())
			if test.ok && (err != nil || got != test.path) {
				t.Errorf("%s, %v", got, err)
			}
			if !test.ok && !errors.Is(err, adapters.ErrInvalid) {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

func TestMissesAreTold(t *testing.T) {
	t.Setenv("QS_AGENT", "")
	t.Setenv("PATH", t.TempDir()) // no toolchain
	f := New(t.TempDir())
	f.libexec = t.TempDir()
	_, err := f.Find(t.Context())
	e, ok := errors.AsType[*adapters.Error](err)
	if !ok || e.Kind != adapters.ErrUnavailable || e.Hint == "" {
		t.Fatal(err)
	}
	for _, place := range []string{"QS_AGENT", "embedded", f.libexec, "cache", `"go"`} {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("no word of %s in: %v", place, err)
		}
	}
}

// The build is slow once. After that, a look at some files is all it takes.
func TestBuildIsKept(t *testing.T) {
	root := t.TempDir()
	path, err := New(root).build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(path) != name || !strings.HasPrefix(path, root) {
		t.Errorf("built %s", path)
	}
	t.Setenv("PATH", t.TempDir())
	began := time.Now()
	again, err := New(root).build(t.Context())
	if err != nil || again != path {
		t.Errorf("%s, %v", again, err)
	}
	if elapsed := time.Since(began); elapsed > time.Second {
		t.Errorf("the second look took %v", elapsed)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "cache", "agent", ".new-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestBuildEndsWithContext(t *testing.T) {
	t.Setenv("QS_AGENT", "")
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := New(t.TempDir()).Find(ctx); err != nil && !errors.Is(err, cause) {
		t.Error(err)
	}
}

func TestFinderRemembersWhatIsStillThere(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), name), 0o755, program(t))
	t.Setenv("QS_AGENT", path)
	f := New(t.TempDir())
	if _, err := f.Find(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("QS_AGENT", "/nonexistent")
	if got, err := f.Find(t.Context()); err != nil || got != path {
		t.Errorf("%s, %v", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Find(t.Context()); err == nil {
		t.Errorf("found %s, which is gone", got)
	}
}

func TestPrune(t *testing.T) {
	f := New(t.TempDir())
	old := time.Now().Add(-2 * staleAfter)
	versions := map[string]bool{"devel-old": false, "devel-new": true, "devel-kept": true, "v1.2.3": true}
	for version := range versions {
		write(t, filepath.Join(f.cacheDir(), version, name), 0o755, nil)
		if version != "devel-new" {
			if err := os.Chtimes(filepath.Join(f.cacheDir(), version), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.prune(filepath.Join(f.cacheDir(), "devel-kept", name))
	for version, stays := range versions {
		if _, err := os.Stat(filepath.Join(f.cacheDir(), version)); (err == nil) != stays {
			t.Errorf("%s: %v", version, err)
		}
	}
}
