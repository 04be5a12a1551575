package local

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/pkg/adapters"
)

// lastNews bounds the wait for what the agent of a dead sandbox had told.
const lastNews = time.Second

// listener listens to one sandbox's agent. It does so from the moment on when
// there is one, since the engine reports a start up to a quarter of a second
// late; what it hears waits until that report has been passed on.
type listener struct {
	id     string
	cancel context.CancelFunc
	begun  chan struct{} // closed when what it hears is wanted
	begin  func()
	done   chan struct{} // closed when there is nothing more to hear
	lost   atomic.Bool   // to tell so when it hears nothing
}

// listen returns the listener of a sandbox, a new one if there is none.
func (c *chronicle) listen(id string) *listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.listeners[id]; l != nil {
		return l
	}
	l := &listener{id: id, begun: make(chan struct{}), done: make(chan struct{})}
	l.begin = sync.OnceFunc(func() { close(l.begun) })
	ctx, cancel := context.WithCancel(c.ctx)
	l.cancel = cancel
	c.listeners[id] = l
	c.readers.Go(func() {
		defer cancel()
		defer c.dismiss(l)
		c.hear(ctx, l)
	})
	return l
}

func (c *chronicle) dismiss(l *listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listeners[l.id] == l {
		delete(c.listeners, l.id)
	}
	close(l.done)
}

// hearOut waits until all is passed on that a dead sandbox's agent has told. The
// kernel has closed its connections.
func (c *chronicle) hearOut(id string) {
	c.mu.Lock()
	l := c.listeners[id]
	c.mu.Unlock()
	if l == nil {
		return
	}
	l.begin()
	select {
	case <-l.done:
	case <-time.After(lastNews):
		l.cancel()
	case <-c.ctx.Done():
	}
}

// hear passes on an agent's journal.
func (c *chronicle) hear(ctx context.Context, l *listener) {
	c.awaitAgent(ctx, l)
	client := c.client(l.id)
	after := agentclient.JournalOptions{Follow: true, Brief: true}
	for failures := 0; failures < maxFailures; failures++ {
		err := client.Journal(ctx, after, func(r agentapi.Record) bool {
			after.After, failures = r.Seq, 0
			return c.heard(ctx, l, r)
		})
		if err != nil {
			c.log.Debug("listen to the agent", "sandbox", l.id, "error", err)
		}
		if ctx.Err() != nil || !c.lives(ctx, l.id) || !pause(ctx, retryAfter<<failures) {
			break
		}
	}
	if after.After > 0 {
		return
	}
	// It may never have been started, and then nothing is lost.
	soon, cancel := context.WithTimeout(ctx, lastNews)
	defer cancel()
	if wanted(soon, l) && l.lost.Load() {
		c.pass(adapters.Event{ID: l.id, Type: adapters.EventLost, Time: time.Now()})
	}
}

// awaitAgent waits for the agent's socket, or its directory's end. Where nothing
// is shared it waits for the engine's word, and the way there for the agent.
func (c *chronicle) awaitAgent(ctx context.Context, l *listener) {
	watch, err := c.watcher.Watch(c.dirs.Sandbox(l.id))
	if err != nil {
		return
	}
	defer watch.Close()
	var asked sync.WaitGroup
	defer asked.Wait()
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	asked.Go(func() {
		if wanted(ctx, l) && c.streams(ctx, l.id) {
			enough()
		}
	})
	_ = watch.Wait(ctx)
}

// wanted waits until what a listener hears is wanted, or never will be.
func wanted(ctx context.Context, l *listener) bool {
	select {
	case <-l.begun:
		return true
	case <-ctx.Done():
		return false
	}
}

// lives reports whether there may be more to be told by a sandbox's agent.
func (c *chronicle) lives(ctx context.Context, id string) bool {
	s, err := c.find(ctx, id)
	return err == nil && s != nil && s.alive()
}

// recordTypes are an agent's words for events.
var recordTypes = map[agentapi.RecordType]adapters.EventType{
	agentapi.RecordReady:  adapters.EventReady,
	agentapi.RecordStart:  adapters.EventExec,
	agentapi.RecordMemory: adapters.EventMemory,
	agentapi.RecordLost:   adapters.EventLost,
}

// heard passes on what is an event and did not happen too early.
func (c *chronicle) heard(ctx context.Context, l *listener, r agentapi.Record) bool {
	event := adapters.Event{ID: l.id, Type: recordTypes[r.Type], Time: r.Time, PID: int(r.PID), Detail: r.Command}
	switch event.Type {
	case "":
		return true
	case adapters.EventLost:
		event.Time = time.Now()
	case adapters.EventMemory:
		event.Reason = adapters.ReasonMemory
	}
	if event.Time.Before(c.since) {
		return true
	}
	return wanted(ctx, l) && c.pass(event)
}

// watchDirectories listens to each sandbox from its creation on. The runtime
// directory comes and goes with the first and the last sandbox.
func (c *chronicle) watchDirectories() error {
	base := filepath.Dir(c.dirs.Path())
	if err := os.MkdirAll(base, 0o700); err != nil {
		return err
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	if err := w.Add(base); err != nil {
		w.Close()
		return err
	}
	_ = w.Add(c.dirs.Path()) // or later, see below
	c.readers.Go(func() {
		defer w.Close()
		for {
			select {
			case e := <-w.Events:
				if e.Has(fsnotify.Create) {
					c.appeared(w, e.Name)
				}
			case <-w.Errors: // the queue was too small: the engine tells later
			case <-c.ctx.Done():
				return
			}
		}
	})
	return nil
}

func (c *chronicle) appeared(w *fsnotify.Watcher, path string) {
	switch {
	case path == c.dirs.Path():
		_ = w.Add(path)
		ids, _ := c.dirs.IDs() // those that were faster
		for _, id := range ids {
			c.listen(id)
		}
	case filepath.Dir(path) == c.dirs.Path() && adapters.ValidID(filepath.Base(path)):
		c.listen(filepath.Base(path))
	}
}
