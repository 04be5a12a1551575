package agentsock

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// Watcher watches for agents that become ready. However many are awaited, it
// uses one inotify instance, of which a user has 128 unless told otherwise; it
// holds nothing while none is awaited. The zero value is ready to use, and a
// Watcher is safe for concurrent use.
type Watcher struct {
	mu      sync.Mutex
	fd      int
	inotify *os.File // of fd; nil while nothing is watched
	ended   chan struct{}
	watches map[int32][]*Watch // by directory, for the kernel has one watch for each
}

// Watch waits for one agent.
type Watch struct {
	watcher *Watcher
	dir     string
	id      int32
	changed chan struct{} // holds one word that it is time to look again
}

// Watch begins to watch a shared directory. It belongs before the sandbox's
// start, so that nothing is missed and nothing is polled.
func (w *Watcher) Watch(dir string) (*Watch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.open(); err != nil {
		return nil, watchError(dir, err)
	}
	// The agent binds under another name and renames: what appears by
	// creation alone is not ready, or not the agent's.
	id, err := unix.InotifyAddWatch(w.fd, dir, unix.IN_MOVED_TO|unix.IN_ONLYDIR|unix.IN_DONT_FOLLOW)
	if err != nil {
		w.closeUnused()
		return nil, watchError(dir, os.NewSyscallError("inotify_add_watch", err))
	}
	watch := &Watch{w, dir, int32(id), make(chan struct{}, 1)}
	w.watches[watch.id] = append(w.watches[watch.id], watch)
	return watch, nil
}

func (w *Watcher) open() error {
	if w.inotify != nil {
		return nil
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("inotify_init", err)
	}
	w.fd, w.inotify = fd, os.NewFile(uintptr(fd), "inotify")
	w.ended, w.watches = make(chan struct{}), make(map[int32][]*Watch)
	go w.read(w.inotify, w.ended)
	return nil
}

// closeUnused gives the instance back after the last watch.
func (w *Watcher) closeUnused() (ended chan struct{}) {
	if len(w.watches) > 0 {
		return nil
	}
	w.inotify.Close()
	w.inotify = nil
	return w.ended
}

// watchError: the likely refusal is a limit.
func watchError(dir string, err error) error {
	e := &adapters.Error{Op: "watch", Kind: adapters.ErrInternal, Err: fmt.Errorf("%s: %w", dir, err)}
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENOSPC) {
		e.Kind = adapters.ErrExhausted
		e.Hint = "raise the limits fs.inotify.max_user_instances and fs.inotify.max_user_watches with sysctl"
	}
	return e
}

// read passes events on until the instance is closed. A sandbox can make as
// many as it likes: they cost a look at a name, and what is lost by it is
// reported by the kernel.
func (w *Watcher) read(inotify *os.File, ended chan<- struct{}) {
	defer close(ended)
	buf := make([]byte, 64*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	for {
		n, err := inotify.Read(buf)
		if err != nil {
			return
		}
		for batch := buf[:n]; len(batch) >= unix.SizeofInotifyEvent; {
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(batch[12:]))
			w.event(batch[:end])
			batch = batch[end:]
		}
	}
}

// event wakes those whom an event is about.
func (w *Watcher) event(e []byte) {
	id := int32(binary.NativeEndian.Uint32(e))
	mask := binary.NativeEndian.Uint32(e[4:])
	name := unix.ByteSliceToString(e[unix.SizeofInotifyEvent:])
	lost := mask&unix.IN_Q_OVERFLOW != 0
	if !lost && mask&unix.IN_IGNORED == 0 && name != agentapi.SocketName {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for of, watches := range w.watches {
		if lost || of == id {
			wake(watches)
		}
	}
}

func wake(watches []*Watch) {
	for _, watch := range watches {
		select {
		case watch.changed <- struct{}{}:
		default: // it has the word already
		}
	}
}

// Wait returns when the socket is there, when something else is in its place,
// or with the cause of the context's end.
func (w *Watch) Wait(ctx context.Context) error {
	for {
		handle, err := openSocket(w.dir)
		if err == nil {
			return handle.Close()
		}
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
		select {
		case <-w.changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close ends the watch.
func (w *Watch) Close() {
	w.watcher.mu.Lock()
	ended := w.watcher.remove(w)
	w.watcher.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// remove leaves the directory to others who watch it, too.
func (w *Watcher) remove(watch *Watch) (ended chan struct{}) {
	others := slices.DeleteFunc(w.watches[watch.id], func(other *Watch) bool { return other == watch })
	if w.watches[watch.id] = others; len(others) > 0 {
		return nil
	}
	delete(w.watches, watch.id)
	// It fails only when the directory is gone, and the watch with it.
	_, _ = unix.InotifyRmWatch(w.fd, uint32(watch.id))
	return w.closeUnused()
}
