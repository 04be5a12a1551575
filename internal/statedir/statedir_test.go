package statedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

func TestCreateIsExclusive(t *testing.T) {
	r := open("/some/root", t.TempDir())
	claim, err := r.Create("abc")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(r.Sandbox("abc"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != fs.ModeDir|0o700 {
		t.Errorf("mode %v", got)
	}
	if _, err := r.Create("abc"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Create: %v", err)
	}
	if _, err := r.Claim("abc"); !errors.Is(err, ErrClaimed) {
		t.Errorf("Claim of a claimed directory: %v", err)
	}
	claim.Release()

	claim, err = r.Claim("abc")
	if err != nil {
		t.Fatalf("Claim after Release: %v", err)
	}
	if err := claim.Remove(); err != nil {
		t.Fatal(err)
	}
	claim.Release()
	if _, err := r.Claim("abc"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Claim after Remove: %v", err)
	}
	if _, err := os.Stat(r.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the runtime directory after the last sandbox: %v", err)
	}
}

// A sweep that claims whatever it sees must never get hold of a directory
// that its creator has not claimed yet.
func TestSweepNeverMeetsUnclaimedDirectory(t *testing.T) {
	r := open("/some/root", t.TempDir())
	stop := make(chan struct{})
	var sweep sync.WaitGroup
	sweep.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if claim, err := r.Claim("abc"); err == nil {
				t.Error("the sweep claimed a directory under its creator")
				claim.Release()
				return
			}
		}
	})
	for range 200 {
		claim, err := r.Create("abc")
		if err != nil {
			t.Errorf("Create: %v", err)
			break
		}
		if err := claim.Remove(); err != nil {
			t.Errorf("Remove: %v", err)
			break
		}
		claim.Release()
	}
	close(stop)
	sweep.Wait()
}

// Sandboxes of one root come and go in several processes; the directory of
// all of them goes with each last one, and under nobody's feet.
func TestCreateWhileTheLastGoes(t *testing.T) {
	r := open("/some/root", t.TempDir())
	var workers sync.WaitGroup
	for _, id := range []string{"abc", "def", "ghi"} {
		workers.Go(func() {
			for range 100 {
				claim, err := r.Create(id)
				if err != nil {
					t.Errorf("Create: %v", err)
					return
				}
				if err := claim.Remove(); err != nil {
					t.Errorf("Remove: %v", err)
				}
				claim.Release()
			}
		})
	}
	workers.Wait()
	if _, err := os.Stat(r.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the runtime directory is left: %v", err)
	}
}

func TestIDs(t *testing.T) {
	r := open("/some/root", t.TempDir())
	if ids, err := r.IDs(); err != nil || ids != nil {
		t.Errorf("IDs before the first sandbox: %v, %v", ids, err)
	}
	for _, id := range []string{"abc", "def"} {
		claim, err := r.Create(id)
		if err != nil {
			t.Fatal(err)
		}
		claim.Release()
	}
	os.Mkdir(filepath.Join(r.Path(), "Not-An-Id"), 0o700)
	os.WriteFile(filepath.Join(r.Path(), "file"), nil, 0o600)
	ids, err := r.IDs()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"abc", "def"}; !slices.Equal(ids, want) {
		t.Errorf("IDs: %v, want %v", ids, want)
	}
}

func TestRootsAreApart(t *testing.T) {
	base := t.TempDir()
	if a, b := open("/a", base), open("/b", base); a.Sandbox("x") == b.Sandbox("x") {
		t.Error("two roots share a directory")
	}
}

func TestBase(t *testing.T) {
	own, loose := t.TempDir(), t.TempDir()
	if err := os.Chmod(loose, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", own)
	if got, want := base("/root-dir"), filepath.Join(own, "quixand"); got != want {
		t.Errorf("base is %s, want %s", got, want)
	}
	for _, dir := range []string{loose, link, "relative", "/nonexistent"} {
		t.Setenv("XDG_RUNTIME_DIR", dir)
		if got := base("/root-dir"); got == filepath.Join(dir, "quixand") {
			t.Errorf("XDG_RUNTIME_DIR=%s was believed", dir)
		}
	}
}

func TestCreateRefusesForeignDirectory(t *testing.T) {
	base := t.TempDir()
	r := open("/some/root", base)
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, r.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Create("abc"); err == nil {
		t.Error("Create followed a link in place of the runtime directory")
	}
}
