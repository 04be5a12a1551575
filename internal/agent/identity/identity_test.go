package identity

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const passwd = `root:x:0:0:root:/root:/bin/bash
# a comment
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
broken line
alice:x:1001:100:Alice,,,:/home/alice:/bin/zsh
bare:x:1002:1002:::
toobig:x:4294967295:1::/:/bin/sh
negative:x:-1:1::/:/bin/sh
alice:x:9999:9999:second:/second:/bin/sh
`

const groups = `root:x:0:
users:x:100:alice
docker:x:998:bob,alice
wheel:x:10:alice
wheel2:x:10:alice
`

func etc(t testing.TB, passwd, group string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"passwd": passwd, "group": group} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var me = User{Name: "me", UID: 1000, GID: 1000, Home: "/home/me", Shell: "/bin/sh"}

func TestLookup(t *testing.T) {
	d := NewDirectory(Options{EtcDir: etc(t, passwd, groups), User: me, Alias: "user"})
	for name, want := range map[string]User{
		"":      me,
		"me":    me,
		"user":  me,
		"1000":  me,
		"root":  {Name: "root", Home: "/root", Shell: "/bin/bash"},
		"alice": {Name: "alice", UID: 1001, GID: 100, Groups: []uint32{998, 10}, Home: "/home/alice", Shell: "/bin/zsh"},
		"1001":  {Name: "alice", UID: 1001, GID: 100, Groups: []uint32{998, 10}, Home: "/home/alice", Shell: "/bin/zsh"},
		"bare":  {Name: "bare", UID: 1002, GID: 1002, Home: "/", Shell: "/bin/sh"},
	} {
		got, err := d.Lookup(name)
		if err != nil || got.Name != want.Name || got.UID != want.UID || got.GID != want.GID ||
			!slices.Equal(got.Groups, want.Groups) || got.Home != want.Home || got.Shell != want.Shell {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"nobody", "toobig", "negative", "# a comment", "4294967295", "-1", "77"} {
		if u, err := d.Lookup(name); !errors.Is(err, ErrUnknownUser) {
			t.Errorf("%q: %+v, %v", name, u, err)
		}
	}
}

func TestRootNeedsNoEntry(t *testing.T) {
	d := NewDirectory(Options{EtcDir: t.TempDir(), User: me})
	if u, err := d.Lookup("root"); err != nil || u.UID != 0 || u.Home != "/root" {
		t.Errorf("%+v, %v", u, err)
	}
	if d.UserName(0) != "root" || d.GroupName(0) != "root" || d.UserName(5) != "5" || d.GroupName(5) != "5" || d.UserName(1000) != "me" {
		t.Error(d.UserName(0), d.GroupName(0), d.UserName(5), d.GroupName(5), d.UserName(1000))
	}
}

// TestTheDefaultCannotBeRedefined: code inside that comes to own the passwd
// file must not become root by it.
func TestTheDefaultCannotBeRedefined(t *testing.T) {
	d := NewDirectory(Options{EtcDir: etc(t, "me:x:0:0::/:/bin/sh\n", ""), User: me})
	for _, name := range []string{"", "me"} {
		if u, err := d.Lookup(name); err != nil || u.UID != 1000 {
			t.Errorf("%q: %+v, %v", name, u, err)
		}
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	dir := etc(t, "", "")
	d := NewDirectory(Options{EtcDir: dir, User: me})
	if _, err := d.Lookup("new"); err == nil {
		t.Fatal("found before it was there")
	}
	// Twice the same size, in quick succession: only the contents differ.
	for _, name := range []string{"new", "two"} {
		if err := os.WriteFile(filepath.Join(dir, "passwd"), []byte(name+":x:7:7::/:/bin/sh\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if u, err := d.Lookup(name); err != nil || u.UID != 7 {
			t.Error(name, u, err)
		}
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "passwd"), old, old); err != nil {
		t.Fatal(err)
	}
	if u, err := d.Lookup("two"); err != nil || u.UID != 7 {
		t.Error(u, err)
	}
	if err := os.Remove(filepath.Join(dir, "passwd")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lookup("two"); err == nil {
		t.Error("found after it was removed")
	}
}

func TestFilesOfTheWrongKind(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "passwd"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "group"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := NewDirectory(Options{EtcDir: dir, User: me})
	if _, err := d.Lookup("x"); err == nil || d.GroupName(7) != "7" {
		t.Error(err, d.GroupName(7))
	}
}

func TestFromHeader(t *testing.T) {
	d := NewDirectory(Options{EtcDir: etc(t, passwd, groups), User: me})
	header := func(name, password string) http.Header {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(name, password)
		return r.Header
	}
	if u, err := d.FromHeader(http.Header{}); err != nil || u.Name != "me" {
		t.Error(u, err)
	}
	if u, err := d.FromHeader(header("alice", "")); err != nil || u.Name != "alice" {
		t.Error(u, err)
	}
	if _, err := d.FromHeader(header("nobody", "")); !errors.Is(err, ErrUnknownUser) {
		t.Error(err)
	}
	if u, err := d.FromHeader(http.Header{"Authorization": {"Bearer x"}}); err == nil {
		t.Error(u)
	}
}

func TestSetDefault(t *testing.T) {
	d := NewDirectory(Options{EtcDir: etc(t, passwd, groups), User: me})
	if err := d.SetDefault("", "~/work"); err != nil || d.Default().Workdir != "/home/me/work" || d.Default().Name != "me" {
		t.Error(d.Default(), err)
	}
	if err := d.SetDefault("alice", ""); err != nil || d.Default().Name != "alice" || d.Default().Workdir != "" {
		t.Error(d.Default(), err)
	}
	if err := d.SetDefault("nobody", ""); err == nil || d.Default().Name != "alice" {
		t.Error(d.Default(), err)
	}
}

func TestPath(t *testing.T) {
	u := me
	for in, want := range map[string]string{
		"": "/home/me", "~": "/home/me", "~/": "/home/me", "~/x": "/home/me/x", ".": "/home/me", "x/../y": "/home/me/y",
		"/": "/", "/a//b/./c/..": "/a/b", "../..": "/", "../../../x": "/x", "/..": "/",
		" ": "/home/me/ ", "-rf": "/home/me/-rf", "a\nb": "/home/me/a\nb", "\xff": "/home/me/\xff",
	} {
		if got, err := u.Path(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"~root", "~~", "a\x00b"} {
		if got, err := u.Path(in); err == nil {
			t.Errorf("%q: %q", in, got)
		}
	}
	u.Workdir = "/workspace/"
	if got, _ := u.Path(""); got != "/workspace" {
		t.Error(got)
	}
	if got, _ := u.Path("x"); got != "/home/me/x" {
		t.Error(got)
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"", "~", "~/../x", "../../etc", "/a/../..", "a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := me.Path(in)
		if err == nil && (!filepath.IsAbs(got) || filepath.Clean(got) != got || strings.IndexByte(got, 0) >= 0) {
			t.Errorf("%q: %q", in, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(passwd, groups)
	f.Add(strings.Repeat(":", 1000), "a:b:1:c,,d\r\n\r\n")
	f.Fuzz(func(t *testing.T, passwd, group string) {
		for _, a := range parsePasswd(passwd) {
			if a.name == "" || strings.ContainsAny(a.name+a.home+a.shell, "\n:") {
				t.Errorf("%+v", a)
			}
			a.user(parseGroup(group))
		}
	})
}

func mode(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().String()
}

// provision runs below a directory as if it were root's, and tells who was
// given what.
func provision(t *testing.T, root, want string) (u User, owners map[string]int, err error) {
	t.Helper()
	owners = make(map[string]int)
	p := provisioner{root: root, db: database{dir: filepath.Join(root, "etc")}}
	p.chown = func(path string, uid, gid int) error {
		if uid != gid {
			t.Errorf("%s was given to %d:%d", path, uid, gid)
		}
		owners[strings.TrimPrefix(path, root)] = uid
		return nil
	}
	u, err = p.provision(want, "user", "/workspace")
	return u, owners, err
}

func TestProvisionScratch(t *testing.T) {
	root := t.TempDir()
	u, owners, err := provision(t, root, "1000")
	if err != nil {
		t.Fatal(err)
	}
	if u.Name != "user" || u.UID != 1000 || u.GID != 1000 || u.Home != "/home/user" || u.Workdir != "/workspace" || u.Shell != "/sbin/nologin" {
		t.Errorf("%+v", u)
	}
	for path, want := range map[string]string{"tmp": "dtrwxrwxrwx", "home/user": "drwxr-xr-x", "workspace": "drwxr-xr-x", "etc/passwd": "-rw-r--r--"} {
		if got := mode(t, filepath.Join(root, path)); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if want := map[string]int{"/tmp": 0, "/home/user": 1000, "/workspace": 1000}; !maps.Equal(owners, want) {
		t.Error(owners)
	}
	if u, _, err = provision(t, root, "1000"); err != nil || u.Name != "user" {
		t.Error(u, err)
	}
	wantFile(t, filepath.Join(root, "etc/passwd"), "user:x:1000:1000::/home/user:/sbin/nologin\n")
	wantFile(t, filepath.Join(root, "etc/group"), "user:x:1000:\n")
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %q, %v", path, got, err)
	}
}

// image makes the root of an image with a passwd file.
func image(t *testing.T, passwd string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/passwd"), []byte(passwd), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestProvisionKeepsTheImagesAccount(t *testing.T) {
	const line = "node:x:1000:1000::/home/node:/bin/bash"
	root := image(t, line)
	if u, _, err := provision(t, root, "1000"); err != nil || u.Name != "node" || u.Home != "/home/node" || u.Shell != "/bin/bash" {
		t.Errorf("%+v, %v", u, err)
	}
	wantFile(t, filepath.Join(root, "etc/passwd"), line)
}

func TestProvisionWhenTheNameIsTaken(t *testing.T) {
	root := image(t, "user:x:5555:5555::/:/bin/sh")
	if u, _, err := provision(t, root, "1000"); err != nil || u.Name != "user1000" || u.Home != "/home/user1000" {
		t.Errorf("%+v, %v", u, err)
	}
	wantFile(t, filepath.Join(root, "etc/passwd"), "user:x:5555:5555::/:/bin/sh\nuser1000:x:1000:1000::/home/user1000:/sbin/nologin\n")
}

func TestProvisionByName(t *testing.T) {
	root := image(t, "app:x:33:33::/srv:/bin/sh\n")
	if u, owners, err := provision(t, root, "app"); err != nil || u.UID != 33 || owners["/srv"] != 33 {
		t.Errorf("%+v, %v, %v", u, owners, err)
	}
	if _, _, err := provision(t, root, "nobody-knows"); !errors.Is(err, ErrUnknownUser) {
		t.Error(err)
	}
}

func TestProvisionAsRoot(t *testing.T) {
	if u, _, err := provision(t, t.TempDir(), "0"); err != nil || u.Name != "root" || u.Home != "/root" {
		t.Errorf("%+v, %v", u, err)
	}
}
