package statedir

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestNames(t *testing.T) {
	r := open("/some/root", t.TempDir())
	if names, err := r.Names(); err != nil || len(names) != 0 {
		t.Fatalf("names of nobody: %v, %v", names, err)
	}
	if err := r.SetName("abc", "web"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name for who has no directory: %v", err)
	}
	claim, err := r.Create("abc")
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Release()
	for _, name := range []string{"web", "web", "api", ""} {
		if err := r.SetName("abc", name); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"abc": name}
		if name == "" {
			want = map[string]string{}
		}
		if names, err := r.Names(); err != nil || !maps.Equal(names, want) {
			t.Errorf("names %v, %v, want %v", names, err, want)
		}
	}
}

func TestNamesAreReadWithCare(t *testing.T) {
	r := open("/some/root", t.TempDir())
	claim, err := r.Create("abc")
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Release()
	for _, file := range []string{"abc@one", "abc@two", "x@-", "X@name", "@", "abc@a@b"} {
		if err := os.WriteFile(filepath.Join(r.Path(), file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := r.Names(); err != nil || len(names) != 0 {
		t.Errorf("names %v, %v", names, err)
	}
}

func TestNamesGoWithTheSandbox(t *testing.T) {
	r := open("/some/root", t.TempDir())
	claim, err := r.Create("abc")
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := r.LockName("web")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := r.SetName("abc", "web"); err != nil {
		t.Fatal(err)
	}
	if err := claim.Remove(); err != nil {
		t.Fatal(err)
	}
	claim.Release()
	if _, err := os.Lstat(r.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the runtime directory is left: %v", err)
	}
}

func TestANameIsLockedOnce(t *testing.T) {
	r := open("/some/root", t.TempDir())
	unlock, err := r.LockName("web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.LockName("web"); !errors.Is(err, ErrClaimed) {
		t.Errorf("the same name: %v", err)
	}
	other, err := r.LockName("api")
	if err != nil {
		t.Errorf("another name: %v", err)
	} else {
		other()
	}
	unlock()
	again, err := r.LockName("web")
	if err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	again()
}
