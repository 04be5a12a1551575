package statedir

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestFreeze(t *testing.T) {
	r := open("/some/root", t.TempDir())
	claim, err := r.Create("abc")
	if err != nil {
		t.Fatal(err)
	}
	if r.LeftFrozen("abc") {
		t.Error("frozen before anybody has frozen it")
	}
	first, err := r.Freeze("abc")
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.Freeze("abc")
	if err != nil {
		t.Fatal(err)
	}
	first()
	if r.LeftFrozen("abc") {
		t.Error("left while one is at it")
	}
	second()
	if _, err := os.Lstat(r.frozen("abc")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a note is left: %v", err)
	}

	// Whoever dies leaves the note, and no lock on it.
	if err := os.WriteFile(r.frozen("abc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !r.LeftFrozen("abc") {
		t.Error("nobody is at it, and it is not left")
	}
	if err := claim.Remove(); err != nil {
		t.Fatal(err)
	}
	claim.Release()
	if _, err := os.Lstat(r.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the runtime directory is left: %v", err)
	}
}
