// Package watch reports changes in a directory, and if asked in everything
// below it. It loses nothing silently: a new directory is searched for what
// came into being before it could be watched, and a reader that is too slow
// gets an error.
package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// Errors that end a watch.
var (
	ErrOverflow = errors.New("changes came faster than they were read")
	ErrGone     = errors.New("the watched directory is gone")
	ErrLimit    = errors.New("the system's limit of watches is reached (fs.inotify.max_user_instances, max_user_watches)")
)

// maxQueue bounds the changes that wait for a reader.
const maxQueue = 16 << 10

// Op is one kind of change.
type Op int

// The kinds of change, in the order in which one event of the kernel reports
// them.
const (
	Create Op = iota
	Rename
	Chmod
	Write
	Remove
)

var ops = map[Op]fsnotify.Op{
	Create: fsnotify.Create, Rename: fsnotify.Rename, Chmod: fsnotify.Chmod,
	Write: fsnotify.Write, Remove: fsnotify.Remove,
}

// Event is one change.
type Event struct {
	Op   Op
	Path string // absolute
	Name string // relative to the watched directory
}

// Watcher watches one directory. Its methods are safe for concurrent use.
type Watcher struct {
	root      string
	recursive bool
	fs        *fsnotify.Watcher
	wake      chan struct{}
	running   sync.WaitGroup

	// Used by events alone.
	dirs  map[string]bool // watched, the root included
	found map[string]bool // reported by search; the kernel may report them too
	moved string          // the directory whose renaming was reported last
	chmod string          // the same for a change of mode

	mu    sync.Mutex
	queue []Event
	err   error
}

// New watches a directory.
func New(root string, recursive bool) (*Watcher, error) {
	backend, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, limit(err)
	}
	w := &Watcher{
		root: filepath.Clean(root), recursive: recursive, fs: backend,
		wake: make(chan struct{}, 1),
		dirs: make(map[string]bool), found: make(map[string]bool),
	}
	if err := w.watch(w.root, func(string, fs.DirEntry) {}); err != nil {
		backend.Close()
		return nil, err
	}
	if !w.dirs[w.root] {
		backend.Close()
		return nil, &fs.PathError{Op: "watch", Path: root, Err: fs.ErrNotExist}
	}
	w.running.Go(w.events)
	w.running.Go(w.errors)
	return w, nil
}

// Close ends the watch.
func (w *Watcher) Close() {
	w.fs.Close()
	w.running.Wait()
}

// Wait returns a channel that receives when Take may have something.
func (w *Watcher) Wait() <-chan struct{} { return w.wake }

// Take returns what has changed since the last call. After the last change it
// returns the error that ended the watch.
func (w *Watcher) Take() ([]Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil, w.err
	}
	events := w.queue
	w.queue = nil
	return events, nil
}

func (w *Watcher) events() {
	for e := range w.fs.Events {
		w.handle(e)
	}
}

// errors is a goroutine of its own: fsnotify reports some errors with its lock
// held, which handle needs.
func (w *Watcher) errors() {
	for err := range w.fs.Errors {
		switch {
		case errors.Is(err, fsnotify.ErrEventOverflow):
			w.fail(ErrOverflow)
		case errors.Is(err, unix.EINVAL): // a watch that ended before it was removed
		default:
			w.fail(err)
		}
	}
}

func (w *Watcher) handle(e fsnotify.Event) {
	path := filepath.Clean(e.Name)
	if w.known(path, e.Op) {
		return
	}
	for op := Create; op <= Remove; op++ {
		if e.Has(ops[op]) {
			w.report(op, path)
		}
	}
	switch {
	case path == w.root && e.Op.Has(fsnotify.Remove|fsnotify.Rename):
		w.fail(ErrGone)
	case e.Has(fsnotify.Remove):
		delete(w.dirs, path)
		delete(w.found, path)
	case e.Has(fsnotify.Rename):
		w.forget(path)
	case e.Has(fsnotify.Create) && w.recursive && isDir(path):
		w.search(path)
	}
}

// known reports whether an event says again what was reported: search may
// have been faster than the kernel, and of a watched directory below the root
// both its parent and itself tell.
func (w *Watcher) known(path string, op fsnotify.Op) bool {
	if op.Has(fsnotify.Create) {
		if path == w.moved {
			w.moved = ""
		}
		again := w.found[path]
		delete(w.found, path)
		return again && op == fsnotify.Create
	}
	if op == fsnotify.Rename && path == w.moved {
		w.moved = ""
		return true
	}
	if op == fsnotify.Chmod && w.dirs[path] && path != w.root {
		again := path == w.chmod
		w.chmod = path
		if again {
			w.chmod = ""
		}
		return again
	}
	w.chmod = ""
	return false
}

// forget ends the watches of a directory that was moved away, and of those
// below it: they would go on to report under names that are no more.
func (w *Watcher) forget(path string) {
	delete(w.found, path)
	if !w.dirs[path] {
		return
	}
	w.moved = path
	below := path + "/"
	for dir := range w.dirs {
		if dir == path || strings.HasPrefix(dir, below) {
			_ = w.fs.Remove(dir) // the kernel may have been faster
			delete(w.dirs, dir)
		}
	}
	for name := range w.found {
		if strings.HasPrefix(name, below) {
			delete(w.found, name)
		}
	}
}

// search watches a new directory and reports what is in it already.
func (w *Watcher) search(dir string) {
	err := w.watch(dir, func(path string, d fs.DirEntry) {
		w.found[path] = true
		w.report(Create, path)
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			w.report(Write, path)
		}
	})
	if err != nil {
		w.fail(err)
	}
}

// watch adds a directory, and those below it when the watch is recursive.
// Each is watched before it is read, so that nothing falls in between. What
// vanishes meanwhile is left out.
func (w *Watcher) watch(dir string, found func(string, fs.DirEntry)) error {
	err := w.fs.Add(dir)
	if err != nil {
		if isGone(err) {
			return nil
		}
		return limit(err)
	}
	w.dirs[dir] = true
	if !w.recursive || w.failed() {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !isGone(err) {
		return err
	}
	for _, d := range entries {
		path := filepath.Join(dir, d.Name())
		found(path, d)
		if d.IsDir() {
			if err := w.watch(path, found); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Watcher) report(op Op, path string) {
	name, err := filepath.Rel(w.root, path)
	if err != nil {
		name = path
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
	case len(w.queue) == maxQueue:
		w.err = ErrOverflow
	default:
		w.queue = append(w.queue, Event{op, path, name})
	}
	w.notify()
}

func (w *Watcher) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.notify()
}

func (w *Watcher) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil
}

func (w *Watcher) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// isGone tells a directory that cannot be watched from a failure to watch:
// it was removed, replaced, or is not for us to read.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrPermission)
}

func limit(err error) error {
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM) {
		return ErrLimit
	}
	return err
}
