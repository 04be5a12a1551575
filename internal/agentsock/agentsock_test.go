package agentsock

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// listen serves a socket at path; every connection goes to handle.
func listen(t *testing.T, path string, handle func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
}

// must fails the test on an error of its preparation.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func socketIn(dir string) string { return filepath.Join(dir, agentapi.SocketName) }

func TestDial(t *testing.T) {
	dir := t.TempDir()
	listen(t, socketIn(dir), func(c net.Conn) { io.WriteString(c, "hello") })
	conn, err := Dial(t.Context(), dir)
	must(t, err)
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
}

// What a hostile sandbox can put in the place of its socket must never be
// connected to, opened or waited for.
func TestDialRefusesWhatIsNoSocket(t *testing.T) {
	var reached atomic.Bool
	other := t.TempDir()
	listen(t, socketIn(other), func(net.Conn) { reached.Store(true) })

	for name, plant := range map[string]func(path string) error{
		"link to another socket": func(p string) error { return os.Symlink(socketIn(other), p) },
		"link to nothing":        func(p string) error { return os.Symlink("/nonexistent", p) },
		"link to itself":         func(p string) error { return os.Symlink(p, p) },
		"fifo":                   func(p string) error { return unix.Mkfifo(p, 0o600) },
		"file":                   func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) },
		"directory":              func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, plant(socketIn(dir)))
			conn, err := Dial(t.Context(), dir)
			if err == nil {
				conn.Close()
				t.Fatal("connected")
			}
			if !errors.Is(err, adapters.ErrInternal) {
				t.Errorf("kind of %q is %v", err, adapters.KindOf(err))
			}
		})
	}
	if reached.Load() {
		t.Error("a planted link led to another socket")
	}
}

func TestDialRefusesLinkInPlaceOfDirectory(t *testing.T) {
	other := t.TempDir()
	listen(t, socketIn(other), func(net.Conn) {})
	dir := filepath.Join(t.TempDir(), "dir")
	must(t, os.Symlink(other, dir))
	if _, err := Dial(t.Context(), dir); err == nil {
		t.Error("a link was followed in place of the directory")
	}
}

func TestDialErrorKinds(t *testing.T) {
	stale := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketIn(stale), Net: "unix"})
	must(t, err)
	l.SetUnlinkOnClose(false)
	l.Close()

	for name, test := range map[string]struct {
		dir  string
		kind error
	}{
		"no directory":      {filepath.Join(t.TempDir(), "gone"), adapters.ErrNotFound},
		"no socket":         {t.TempDir(), adapters.ErrUnavailable},
		"nobody listens":    {stale, adapters.ErrUnavailable},
		"no directory, but": {socketIn(stale), adapters.ErrInternal},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Dial(t.Context(), test.dir)
			if !errors.Is(err, test.kind) {
				t.Errorf("%v is of kind %v, want %v", err, adapters.KindOf(err), test.kind)
			}
		})
	}
}

// The path may change at any moment; a handle taken before still leads to
// what it was taken on.
func TestHandleOutlivesSwap(t *testing.T) {
	var reached atomic.Bool
	dir, other := t.TempDir(), t.TempDir()
	listen(t, socketIn(dir), func(c net.Conn) { io.WriteString(c, "agent") })
	listen(t, socketIn(other), func(net.Conn) { reached.Store(true) })

	stop := make(chan struct{})
	swapped := make(chan struct{})
	link := filepath.Join(dir, "link")
	kept := filepath.Join(dir, "kept")
	must(t, os.Symlink(socketIn(other), link))
	go func() {
		defer close(swapped)
		for {
			select {
			case <-stop:
				return
			default:
				os.Rename(socketIn(dir), kept)
				os.Rename(link, socketIn(dir))
				os.Rename(socketIn(dir), link)
				os.Rename(kept, socketIn(dir))
			}
		}
	}()
	for range 2000 {
		if conn, err := Dial(t.Context(), dir); err == nil {
			conn.Close()
		}
	}
	close(stop)
	<-swapped
	if reached.Load() {
		t.Error("a swap in the middle of a dial led to another socket")
	}
}

func TestWatchSeesRename(t *testing.T) {
	dir := t.TempDir()
	w, err := new(Watcher).Watch(dir)
	must(t, err)
	defer w.Close()
	go func() {
		for range 100 { // noise, as a sandbox can make it
			os.WriteFile(filepath.Join(dir, "noise"), nil, 0o600)
			os.Rename(filepath.Join(dir, "noise"), filepath.Join(dir, "more noise"))
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "new"), Net: "unix"})
		if err != nil {
			return
		}
		l.SetUnlinkOnClose(false)
		defer l.Close()
		os.Rename(filepath.Join(dir, "new"), socketIn(dir))
	}()
	must(t, w.Wait(t.Context()))
}

func TestWatchSeesWhatWasThereBefore(t *testing.T) {
	dir := t.TempDir()
	w, err := new(Watcher).Watch(dir)
	must(t, err)
	defer w.Close()
	listen(t, socketIn(dir), func(net.Conn) {})
	must(t, w.Wait(t.Context()))
}

func TestWatchEnds(t *testing.T) {
	t.Run("with the context", func(t *testing.T) {
		w, err := new(Watcher).Watch(t.TempDir())
		must(t, err)
		defer w.Close()
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
		if err := w.Wait(ctx); !errors.Is(err, cause) {
			t.Errorf("Wait: %v", err)
		}
	})
	t.Run("at a planted link", func(t *testing.T) {
		dir := t.TempDir()
		w, err := new(Watcher).Watch(dir)
		must(t, err)
		defer w.Close()
		go func() {
			os.Symlink("/nonexistent", filepath.Join(dir, "link"))
			os.Rename(filepath.Join(dir, "link"), socketIn(dir))
		}()
		if err := w.Wait(t.Context()); !errors.Is(err, adapters.ErrInternal) {
			t.Errorf("Wait: %v", err)
		}
	})
	t.Run("with the directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "dir")
		must(t, os.Mkdir(dir, 0o700))
		w, err := new(Watcher).Watch(dir)
		must(t, err)
		defer w.Close()
		go os.Remove(dir)
		if err := w.Wait(t.Context()); !errors.Is(err, adapters.ErrNotFound) {
			t.Errorf("Wait: %v", err)
		}
	})
}

// A hundred creations at once need one instance, and none is left after them.
func TestWatcherIsShared(t *testing.T) {
	var watcher Watcher
	var watches []*Watch
	for range 100 {
		w, err := watcher.Watch(t.TempDir())
		must(t, err)
		watches = append(watches, w)
	}
	var waiting sync.WaitGroup
	for _, w := range watches {
		waiting.Go(func() {
			if err := w.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	for _, w := range watches {
		fresh := filepath.Join(w.dir, "new")
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
		must(t, err)
		l.SetUnlinkOnClose(false)
		must(t, os.Rename(fresh, socketIn(w.dir)))
		must(t, l.Close())
	}
	waiting.Wait()
	for _, w := range watches {
		w.Close()
	}
	if watcher.inotify != nil {
		t.Error("an instance is kept for nobody")
	}
}

// Events that the kernel had no room for are not missed.
// The kernel has one watch for a directory, however often it is asked for.
func TestWatchesOfOneDirectory(t *testing.T) {
	dir := t.TempDir()
	var watcher Watcher
	var watches []*Watch
	for range 3 {
		w, err := watcher.Watch(dir)
		must(t, err)
		watches = append(watches, w)
	}
	watches[1].Close()
	listen(t, filepath.Join(dir, "before"), func(net.Conn) {})
	must(t, os.Rename(filepath.Join(dir, "before"), socketIn(dir)))
	for _, i := range []int{0, 2} {
		select {
		case <-watches[i].changed:
		case <-time.After(10 * time.Second):
			t.Errorf("watch %d is not told", i)
		}
		watches[i].Close()
	}
}

func TestWatchSurvivesFlood(t *testing.T) {
	dir := t.TempDir()
	var watcher Watcher
	w, err := watcher.Watch(dir)
	must(t, err)
	defer w.Close()
	overflow := make([]byte, unix.SizeofInotifyEvent)
	binary.NativeEndian.PutUint32(overflow, math.MaxUint32) // -1: no watch's own
	binary.NativeEndian.PutUint32(overflow[4:], unix.IN_Q_OVERFLOW)
	waited := make(chan error)
	go func() { waited <- w.Wait(t.Context()) }()
	listen(t, socketIn(dir), func(net.Conn) {}) // by creation: no event of ours
	watcher.event(overflow)
	must(t, <-waited)
}
