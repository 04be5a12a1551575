package filesystem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/watch"
	pb "github.com/quixand/quixand/internal/envd/filesystem"
	"github.com/quixand/quixand/internal/envd/filesystem/filesystemconnect"
)

type client struct {
	filesystemconnect.FilesystemClient
	home string
	user identity.User
}

func newClient(t *testing.T) *client {
	t.Helper()
	u := identity.Current("/etc")
	u.Home = t.TempDir()
	s := New(identity.NewDirectory(identity.Options{EtcDir: "/etc", User: u}))
	_, handler := filesystemconnect.NewFilesystemHandler(s)
	srv := httptest.NewServer(handler)
	t.Cleanup(func() { srv.Close(); s.Close() })
	return &client{filesystemconnect.NewFilesystemClient(srv.Client(), srv.URL, connect.WithProtoJSON()), u.Home, u}
}

func (c *client) stat(t *testing.T, path string) (*pb.EntryInfo, error) {
	t.Helper()
	res, err := c.Stat(t.Context(), connect.NewRequest(&pb.StatRequest{Path: path}))
	if err != nil {
		return nil, err
	}
	return res.Msg.GetEntry(), nil
}

// list describes entries in the order in which they come.
func (c *client) list(t *testing.T, path string, depth uint32) (paths []string, err error) {
	t.Helper()
	res, err := c.ListDir(t.Context(), connect.NewRequest(&pb.ListDirRequest{Path: path, Depth: depth}))
	if err != nil {
		return nil, err
	}
	for _, e := range res.Msg.GetEntries() {
		paths = append(paths, strings.TrimPrefix(e.GetPath(), c.home+"/"))
	}
	return paths, nil
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, want connect.Code) {
	t.Helper()
	if err == nil || connect.CodeOf(err) != want {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func TestStat(t *testing.T) {
	c := newClient(t)
	path := filepath.Join(c.home, "f")
	mtime := time.Unix(1e9, 500)
	do(t, os.WriteFile(path, []byte("1234"), 0o640), os.Chmod(path, 0o640), os.Chtimes(path, mtime, mtime))
	e, err := c.stat(t, "f")
	do(t, err)
	if e.GetName() != "f" || e.GetType() != pb.FileType_FILE_TYPE_FILE || e.GetPath() != path || e.GetSize() != 4 ||
		e.GetMode() != 0o640 || e.GetPermissions() != "-rw-r-----" || e.GetOwner() != c.user.Name ||
		!e.GetModifiedTime().AsTime().Equal(mtime) || e.SymlinkTarget != nil {
		t.Errorf("%v", e)
	}
	_, err = c.stat(t, "nothing")
	wantCode(t, "missing", err, connect.CodeNotFound)
	_, err = c.stat(t, "f/x")
	wantCode(t, "through a file", err, connect.CodeInvalidArgument)
	_, err = c.stat(t, "~root")
	wantCode(t, "another's home", err, connect.CodeInvalidArgument)
	_, err = c.stat(t, strings.Repeat("x", 300))
	wantCode(t, "long name", err, connect.CodeInvalidArgument)
	if e, err := c.stat(t, ""); err != nil || e.GetPath() != c.home {
		t.Error(e, err)
	}
	if e, err := c.stat(t, "/"); err != nil || e.GetName() != "/" || e.GetPath() != "/" {
		t.Error(e, err)
	}
}

func TestKinds(t *testing.T) {
	c := newClient(t)
	at := func(name string) string { return filepath.Join(c.home, name) }
	do(t, os.WriteFile(at("file"), []byte("x"), 0o600), os.Mkdir(at("dir"), 0o755), os.Chmod(at("dir"), 0o777|os.ModeSticky),
		unix.Mkfifo(at("fifo"), 0o644), os.Symlink("file", at("toFile")), os.Symlink("dir", at("toDir")), os.Symlink("toFile", at("toLink")),
		os.Symlink("nothing", at("broken")), os.Symlink("loop", at("loop")))
	for name, want := range map[string]string{
		"file": "FILE 600 -rw------- ", "dir": "DIRECTORY 777 dtrwxrwxrwx ", "fifo": "UNSPECIFIED 644 prw-r--r-- ",
		"toFile": "FILE 600 Lrwxrwxrwx file", "toLink": "FILE 600 Lrwxrwxrwx file", "toDir": "DIRECTORY 777 Lrwxrwxrwx dir",
		"broken": "UNSPECIFIED 0 Lrwxrwxrwx broken", "loop": "UNSPECIFIED 0 Lrwxrwxrwx loop",
	} {
		e, err := c.stat(t, name)
		do(t, err)
		got := fmt.Sprintf("%s %o %s %s", strings.TrimPrefix(e.GetType().String(), "FILE_TYPE_"), e.GetMode(), e.GetPermissions(), strings.TrimPrefix(e.GetSymlinkTarget(), c.home+"/"))
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestListDir(t *testing.T) {
	c := newClient(t)
	at := func(name string) string { return filepath.Join(c.home, name) }
	do(t, os.MkdirAll(at("a/b/c"), 0o755), os.WriteFile(at("a.txt"), nil, 0o600), os.WriteFile(at("a/z"), nil, 0o600),
		os.WriteFile(at("a/b/m"), nil, 0o600), os.Symlink("a", at("link")), os.WriteFile(at("B\n\xff"), nil, 0o600))
	for depth, want := range map[uint32][]string{
		0: {"B\n\uFFFD", "a", "a.txt", "link"},
		1: {"B\n\uFFFD", "a", "a.txt", "link"},
		2: {"B\n\uFFFD", "a", "a/b", "a/z", "a.txt", "link"},
		9: {"B\n\uFFFD", "a", "a/b", "a/b/c", "a/b/m", "a/z", "a.txt", "link"},
	} {
		if got, err := c.list(t, "", depth); err != nil || !slices.Equal(got, want) {
			t.Errorf("depth %d: %q, %v", depth, got, err)
		}
	}
	if got, err := c.list(t, "link", 1); err != nil || !slices.Equal(got, []string{"link/b", "link/z"}) {
		t.Error(got, err)
	}
	_, err := c.list(t, "nothing", 1)
	wantCode(t, "missing", err, connect.CodeNotFound)
	_, err = c.list(t, "a.txt", 1)
	wantCode(t, "file", err, connect.CodeInvalidArgument)
	do(t, os.Symlink("loop", at("loop")))
	_, err = c.list(t, "loop", 1)
	wantCode(t, "loop", err, connect.CodeFailedPrecondition)
}

func TestMakeDir(t *testing.T) {
	c := newClient(t)
	mkdir := func(path string) (*pb.EntryInfo, error) {
		res, err := c.MakeDir(t.Context(), connect.NewRequest(&pb.MakeDirRequest{Path: path}))
		if err != nil {
			return nil, err
		}
		return res.Msg.GetEntry(), nil
	}
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	if e, err := mkdir("x/y/z"); err != nil || e.GetType() != pb.FileType_FILE_TYPE_DIRECTORY || e.GetPath() != c.home+"/x/y/z" || e.GetMode() != 0o755 {
		t.Error(e, err)
	}
	_, err := mkdir("x/y")
	wantCode(t, "existing", err, connect.CodeAlreadyExists)
	do(t, os.WriteFile(filepath.Join(c.home, "f"), nil, 0o600), os.Symlink("nothing", filepath.Join(c.home, "broken")))
	_, err = mkdir("f")
	wantCode(t, "file", err, connect.CodeInvalidArgument)
	_, err = mkdir("f/g")
	wantCode(t, "through a file", err, connect.CodeInvalidArgument)
	if _, err = mkdir("broken/x"); err == nil {
		t.Error("made a directory through a broken link")
	}
}

func TestMove(t *testing.T) {
	c := newClient(t)
	at := func(name string) string { return filepath.Join(c.home, name) }
	move := func(from, to string) (*pb.EntryInfo, error) {
		res, err := c.Move(t.Context(), connect.NewRequest(&pb.MoveRequest{Source: from, Destination: to}))
		if err != nil {
			return nil, err
		}
		return res.Msg.GetEntry(), nil
	}
	do(t, os.WriteFile(at("a"), []byte("1"), 0o600), os.WriteFile(at("b"), []byte("22"), 0o600), os.Mkdir(at("d"), 0o755), os.WriteFile(at("d/f"), nil, 0o600))
	if e, err := move("a", "b"); err != nil || e.GetName() != "b" || e.GetSize() != 1 {
		t.Error(e, err)
	}
	if e, err := move("d", "new/parent/e"); err != nil || e.GetPath() != at("new/parent/e") {
		t.Error(e, err)
	}
	do(t, os.Symlink("nothing", at("broken")))
	if e, err := move("broken", "b2"); err != nil || e.GetSymlinkTarget() != at("b2") {
		t.Error(e, err)
	}
	_, err := move("nothing", "x")
	wantCode(t, "missing", err, connect.CodeNotFound)
	_, err = move("nothing", "newer/x")
	wantCode(t, "missing", err, connect.CodeNotFound)
	if _, err := os.Stat(at("newer")); err == nil {
		t.Error("a failed move left a directory behind")
	}
	_, err = move("new", "new/inside")
	wantCode(t, "into itself", err, connect.CodeInvalidArgument)
	do(t, os.Mkdir(at("full"), 0o755), os.WriteFile(at("full/x"), nil, 0o600), os.Mkdir(at("d2"), 0o755))
	_, err = move("d2", "full")
	if err == nil {
		t.Error("replaced a directory that is not empty")
	}
}

func TestRemove(t *testing.T) {
	c := newClient(t)
	at := func(name string) string { return filepath.Join(c.home, name) }
	remove := func(path string) error {
		_, err := c.Remove(t.Context(), connect.NewRequest(&pb.RemoveRequest{Path: path}))
		return err
	}
	do(t, os.MkdirAll(at("d/e"), 0o755), os.WriteFile(at("d/e/f"), nil, 0o600), os.WriteFile(at("kept"), nil, 0o600), os.Symlink("kept", at("link")))
	do(t, remove("d"), remove("d"), remove("link"), remove("kept/through/a/file"))
	if got, err := c.list(t, "", 1); err != nil || !slices.Equal(got, []string{"kept"}) {
		t.Error(got, err)
	}
	wantCode(t, "root", remove("/"), connect.CodeInvalidArgument)
	wantCode(t, "root by another name", remove("/../.."), connect.CodeInvalidArgument)
}

func TestUnknownUser(t *testing.T) {
	c := newClient(t)
	req := connect.NewRequest(&pb.StatRequest{Path: "/"})
	r := http.Request{Header: req.Header()}
	r.SetBasicAuth("no-such-user", "")
	_, err := c.Stat(t.Context(), req)
	wantCode(t, "user", err, connect.CodeUnauthenticated)
}

// next returns a stream's next event in words.
func next(t *testing.T, s *connect.ServerStreamForClient[pb.WatchDirResponse]) string {
	t.Helper()
	if !s.Receive() {
		t.Fatal(s.Err())
	}
	switch e := s.Msg().GetEvent().(type) {
	case *pb.WatchDirResponse_Filesystem:
		return describeEvent(e.Filesystem)
	case *pb.WatchDirResponse_Start:
		return "start"
	}
	return "keepalive"
}

func describeEvent(e *pb.FilesystemEvent) string {
	s := strings.ToLower(strings.TrimPrefix(e.GetType().String(), "EVENT_TYPE_")) + " " + e.GetName()
	if e.Entry != nil {
		s += " " + e.Entry.GetPermissions()
	}
	return s
}

func TestWatchDir(t *testing.T) {
	c := newClient(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := c.WatchDir(ctx, connect.NewRequest(&pb.WatchDirRequest{Path: ".", Recursive: true, IncludeEntry: true}))
	do(t, err)
	if got := next(t, s); got != "start" {
		t.Fatal(got)
	}
	do(t, os.Mkdir(filepath.Join(c.home, "sub"), 0o755))
	if got := next(t, s); got != "create sub drwxr-xr-x" {
		t.Error(got)
	}
	do(t, os.WriteFile(filepath.Join(c.home, "sub", "f"), []byte("x"), 0o644), os.Remove(filepath.Join(c.home, "sub", "f")))
	for got := ""; got != "remove sub/f"; {
		got = next(t, s)
	}
	cancel()
	for s.Receive() {
	}
	wantCode(t, "cancelled", s.Err(), connect.CodeCanceled)
}

func TestWatchDirKeepsAliveAndTimesOut(t *testing.T) {
	c := newClient(t)
	ctx, cancel := context.WithTimeout(t.Context(), 1300*time.Millisecond)
	defer cancel()
	req := connect.NewRequest(&pb.WatchDirRequest{Path: "."})
	req.Header().Set("Keepalive-Ping-Interval", "1")
	s, err := c.WatchDir(ctx, req)
	do(t, err)
	if a, b := next(t, s), next(t, s); a != "start" || b != "keepalive" {
		t.Error(a, b)
	}
	for s.Receive() {
	}
	wantCode(t, "time-out", s.Err(), connect.CodeDeadlineExceeded)
}

func TestWatchRefused(t *testing.T) {
	c := newClient(t)
	do(t, os.WriteFile(filepath.Join(c.home, "f"), nil, 0o600))
	for path, want := range map[string]connect.Code{"nothing": connect.CodeNotFound, "f": connect.CodeInvalidArgument, "~root": connect.CodeInvalidArgument} {
		s, err := c.WatchDir(t.Context(), connect.NewRequest(&pb.WatchDirRequest{Path: path}))
		do(t, err)
		s.Receive()
		wantCode(t, path, s.Err(), want)
		_, err = c.CreateWatcher(t.Context(), connect.NewRequest(&pb.CreateWatcherRequest{Path: path}))
		wantCode(t, path, err, want)
	}
}

func TestPolledWatch(t *testing.T) {
	c := newClient(t)
	res, err := c.CreateWatcher(t.Context(), connect.NewRequest(&pb.CreateWatcherRequest{Path: "."}))
	do(t, err)
	id := res.Msg.GetWatcherId()
	events := func() ([]*pb.FilesystemEvent, error) {
		res, err := c.GetWatcherEvents(t.Context(), connect.NewRequest(&pb.GetWatcherEventsRequest{WatcherId: id}))
		if err != nil {
			return nil, err
		}
		return res.Msg.GetEvents(), nil
	}
	do(t, os.WriteFile(filepath.Join(c.home, "f"), nil, 0o600), os.Remove(filepath.Join(c.home, "f")))
	var got []string
	for len(got) < 2 { // the protocol can only be polled
		all, err := events()
		do(t, err)
		for _, e := range all {
			got = append(got, describeEvent(e))
		}
	}
	if !slices.Equal(got, []string{"create f", "remove f"}) {
		t.Error(got)
	}
	remove := func() error {
		_, err := c.RemoveWatcher(t.Context(), connect.NewRequest(&pb.RemoveWatcherRequest{WatcherId: id}))
		return err
	}
	do(t, remove())
	wantCode(t, "removed twice", remove(), connect.CodeNotFound)
	_, err = events()
	wantCode(t, "events of a removed watcher", err, connect.CodeNotFound)
}

// fakeSource only tells when it was closed.
type fakeSource chan time.Time

func (fakeSource) Take() ([]watch.Event, error) { return nil, nil }
func (f fakeSource) Close()                     { f <- time.Now() }

func TestPolledWatchesAreBounded(t *testing.T) {
	ws := newWatchers()
	closed := make(fakeSource, maxWatchers)
	for range maxWatchers {
		if _, err := ws.add(closed, false); err != nil {
			t.Fatal(err)
		}
	}
	_, err := ws.add(closed, false)
	wantCode(t, "one too many", err, connect.CodeResourceExhausted)
	ws.close()
	if len(closed) != maxWatchers {
		t.Errorf("%d closed", len(closed))
	}
}

func TestUnusedWatchesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := newWatchers()
		closed := make(fakeSource, 1)
		id, err := ws.add(closed, false)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(unusedFor - time.Second)
		if _, err := ws.use(id); err != nil {
			t.Fatal(err)
		}
		used := time.Now()
		if got := (<-closed).Sub(used); got != unusedFor {
			t.Errorf("ended %v after its last use", got)
		}
		_, err = ws.use(id)
		wantCode(t, "unused", err, connect.CodeNotFound)
	})
}
