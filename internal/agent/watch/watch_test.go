package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var opNames = []string{"create", "rename", "chmod", "write", "remove"}

func (e Event) String() string { return opNames[e.Op] + " " + e.Name }

func start(t *testing.T, dir string, recursive bool) *Watcher {
	t.Helper()
	w, err := New(dir, recursive)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// until takes events until the last one is as given, and returns all.
func until(t *testing.T, w *Watcher, last string) []string {
	t.Helper()
	var all []string
	for timeout := time.After(10 * time.Second); ; {
		events, err := w.Take()
		for _, e := range events {
			all = append(all, e.String())
		}
		if len(all) > 0 && all[len(all)-1] == last {
			return all
		}
		if err != nil {
			t.Fatalf("%v after %v", err, all)
		}
		select {
		case <-w.Wait():
		case <-timeout:
			t.Fatalf("no %q after %v", last, all)
		}
	}
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestChanges(t *testing.T) {
	dir := t.TempDir()
	w := start(t, dir, false)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	do(t, os.WriteFile(a, []byte("x"), 0o600), os.Chmod(a, 0o644), os.Rename(a, b), os.Remove(b))
	got := until(t, w, "remove b")
	want := []string{"create a", "write a", "chmod a", "rename a", "create b", "remove b"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestNotRecursiveUnlessAsked(t *testing.T) {
	dir := t.TempDir()
	do(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	w := start(t, dir, false)
	do(t, os.WriteFile(filepath.Join(dir, "sub", "x"), nil, 0o600), os.WriteFile(filepath.Join(dir, "end"), nil, 0o600))
	if got := until(t, w, "create end"); len(got) != 1 {
		t.Error(got)
	}
}

func TestRecursive(t *testing.T) {
	dir := t.TempDir()
	do(t, os.MkdirAll(filepath.Join(dir, "old", "deep"), 0o755))
	w := start(t, dir, true)
	do(t, os.WriteFile(filepath.Join(dir, "old", "deep", "f"), []byte("x"), 0o600))
	until(t, w, "write old/deep/f")
	do(t, os.Mkdir(filepath.Join(dir, "new"), 0o755))
	until(t, w, "create new")
	do(t, os.Mkdir(filepath.Join(dir, "new", "sub"), 0o755))
	until(t, w, "create new/sub")
	do(t, os.WriteFile(filepath.Join(dir, "new", "sub", "f"), []byte("x"), 0o600))
	until(t, w, "write new/sub/f")
	do(t, os.Chmod(filepath.Join(dir, "new"), 0o700), os.RemoveAll(filepath.Join(dir, "new")))
	got := until(t, w, "remove new")
	// Search and the kernel may both tell of the same write.
	got = slices.DeleteFunc(got, func(e string) bool { return e == "write new/sub/f" })
	want := []string{"chmod new", "remove new/sub/f", "remove new/sub", "remove new"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestNothingIsLostInNewDirectories makes trees as fast as it can: much of
// them exists before it can be watched.
func TestNothingIsLostInNewDirectories(t *testing.T) {
	dir := t.TempDir()
	w := start(t, dir, true)
	var want []string
	for i := range 100 {
		name := fmt.Sprintf("%d/a/b", i)
		do(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		do(t, os.WriteFile(filepath.Join(dir, name, "f"), []byte("x"), 0o600))
		want = append(want, "create "+name+"/f")
	}
	do(t, os.WriteFile(filepath.Join(dir, "end"), nil, 0o600))
	// What was created early in a tree may be reported after what was created
	// late beside it, so the end is not the last event.
	count := make(map[string]int)
	for timeout := time.After(10 * time.Second); ; {
		events, err := w.Take()
		do(t, err)
		for _, e := range events {
			count[e.String()]++
		}
		if count["create end"] > 0 && !slices.ContainsFunc(want, func(s string) bool { return count[s] == 0 }) {
			break
		}
		select {
		case <-w.Wait():
		case <-timeout:
			t.Fatal("lost files")
		}
	}
	for name, n := range count {
		if n > 1 && strings.HasPrefix(name, "create") {
			t.Errorf("%d times %s", n, name)
		}
	}
}

func TestMovedDirectoriesKeepReporting(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	do(t, os.MkdirAll(filepath.Join(dir, "a", "sub"), 0o755))
	w := start(t, dir, true)
	do(t, os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")))
	got := until(t, w, "create b/sub")
	if want := []string{"rename a", "create b", "create b/sub"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	do(t, os.WriteFile(filepath.Join(dir, "b", "sub", "f"), []byte("x"), 0o600))
	if got := until(t, w, "write b/sub/f"); !slices.Equal(got, []string{"create b/sub/f", "write b/sub/f"}) {
		t.Error(got)
	}
	// Outside it is no longer ours, and a new directory may take its place.
	do(t, os.Rename(filepath.Join(dir, "b"), filepath.Join(outside, "b")))
	until(t, w, "rename b")
	do(t, os.WriteFile(filepath.Join(outside, "b", "sub", "g"), nil, 0o600))
	do(t, os.Mkdir(filepath.Join(dir, "b"), 0o755))
	if got := until(t, w, "create b"); !slices.Equal(got, []string{"create b"}) {
		t.Error(got)
	}
	do(t, os.WriteFile(filepath.Join(dir, "b", "h"), nil, 0o600))
	until(t, w, "create b/h")
	do(t, os.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "c")))
	until(t, w, "create c/h")
}

func TestOverflowIsAnError(t *testing.T) {
	dir := t.TempDir()
	w := start(t, dir, false)
	path := filepath.Join(dir, "f")
	for range maxQueue/2 + 2 {
		do(t, os.WriteFile(path, nil, 0o600), os.Remove(path))
	}
	for timeout := time.After(10 * time.Second); ; {
		if w.failed() {
			break
		}
		select {
		case <-w.Wait():
		case <-timeout:
			t.Fatal("no error")
		}
	}
	if events, err := w.Take(); len(events) == 0 || err != nil {
		t.Errorf("what came before the overflow is lost: %v", err)
	}
	if _, err := w.Take(); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
}

func TestRootGone(t *testing.T) {
	for name, leave := range map[string]func(string) error{
		"removed": os.Remove,
		"moved":   func(dir string) error { return os.Rename(dir, dir+"2") },
	} {
		dir := filepath.Join(t.TempDir(), "root")
		do(t, os.Mkdir(dir, 0o755))
		w := start(t, dir, true)
		do(t, leave(dir))
		for timeout := time.After(10 * time.Second); ; {
			if _, err := w.Take(); err != nil {
				if !errors.Is(err, ErrGone) {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
			select {
			case <-w.Wait():
			case <-timeout:
				t.Fatalf("%s: no error", name)
			}
		}
	}
}

func TestMissing(t *testing.T) {
	if _, err := New(filepath.Join(t.TempDir(), "nothing"), true); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
