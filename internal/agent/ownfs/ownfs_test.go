package ownfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
)

// owner is somebody else when the test runs as root, and otherwise the only
// one to whom files can be given.
func owner() identity.User {
	if os.Geteuid() == 0 {
		return identity.User{UID: 4321, GID: 5432}
	}
	return identity.User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
}

func wantOwner(t *testing.T, path string, want identity.User) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != want.UID || st.Gid != want.GID {
		t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
	}
}

func TestMkdirAllGivesOnlyWhatItCreates(t *testing.T) {
	base := t.TempDir()
	u := owner()
	me := identity.User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	if err := MkdirAll(filepath.Join(base, "a", "b", "c"), u); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a", "a/b", "a/b/c"} {
		wantOwner(t, filepath.Join(base, dir), u)
	}
	wantOwner(t, base, me)
	if err := MkdirAll(base, u); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, base, me)
}

func TestMkdirAllFollowsExistingLinks(t *testing.T) {
	base := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(base, "real"), 0o755), os.Symlink("real", filepath.Join(base, "link"))); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(filepath.Join(base, "link", "x"), owner()); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, filepath.Join(base, "real", "x"), owner())
}

func TestMkdirAllInTheWay(t *testing.T) {
	base := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(base, "file"), nil, 0o600), os.Symlink("nothing", filepath.Join(base, "broken"))); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"file", "file/x", "broken", "broken/x"} {
		if err := MkdirAll(filepath.Join(base, path), owner()); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

func TestCreate(t *testing.T) {
	base := t.TempDir()
	path := filepath.Join(base, "dir", "file")
	f, size, err := Create(path, owner())
	if err != nil || size != 0 {
		t.Fatal(size, err)
	}
	f.Close()
	wantOwner(t, path, owner())
	wantOwner(t, filepath.Dir(path), owner())

	old := filepath.Join(base, "old")
	if err := os.WriteFile(old, []byte("contents"), 0o640); err != nil {
		t.Fatal(err)
	}
	if f, size, err = Create(old, owner()); err != nil || size != 8 {
		t.Fatal(size, err)
	}
	f.Close()
	wantOwner(t, old, owner())
	if info, _ := os.Stat(old); info.Size() != 8 || info.Mode().Perm() != 0o640 {
		t.Error(info)
	}
}

func TestOnlyRegularFiles(t *testing.T) {
	base := t.TempDir()
	fifo := filepath.Join(base, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/null", "/dev/zero"} {
		if f, _, err := Create(path, owner()); !errors.Is(err, unix.EINVAL) {
			t.Errorf("Create %s: %v, %v", path, f, err)
		}
		if f, _, err := Open(path); !errors.Is(err, unix.EINVAL) {
			t.Errorf("Open %s: %v, %v", path, f, err)
		}
	}
	for _, path := range []string{base, base + "/"} {
		if f, _, err := Create(path, owner()); !errors.Is(err, unix.EISDIR) {
			t.Errorf("Create %s: %v, %v", path, f, err)
		}
	}
	if _, _, err := Open(base); !errors.Is(err, unix.EISDIR) {
		t.Error(err)
	}
	if _, _, err := Open(filepath.Join(base, "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	// The FIFO with somebody at its other end.
	r, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if f, _, err := Create(fifo, owner()); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Create: %v, %v", f, err)
	}
}

func TestGivingToOthersNeedsRoot(t *testing.T) {
	other := identity.User{UID: 4321, GID: 5432}
	path := filepath.Join(t.TempDir(), "f")
	f, _, err := Create(path, other)
	if os.Geteuid() == 0 {
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		wantOwner(t, path, other)
		return
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, %v", f, err)
	}
}
