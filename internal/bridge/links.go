package bridge

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// idle is how long a link without streams is kept. To open one costs an
// engine's exec, a tenth of a second.
const idle = 30 * time.Second

// Opener starts the other end of a bridge in a sandbox and returns what leads
// to it. The context bounds the way there and not the bridge's life.
type Opener func(ctx context.Context, id string) (io.ReadWriteCloser, error)

// Links are the bridges of one process, one for each sandbox. They are opened
// when they are needed, opened again when they were lost, and closed when they
// have been idle for a while. A Links is safe for concurrent use.
type Links struct {
	open Opener

	mu    sync.Mutex
	links map[string]*link
}

// link is one bridge, or the making of one.
type link struct {
	ready   chan struct{} // closed when session or err is set
	session *yamux.Session
	err     error

	streams int         // open ones, and those that are being opened; under Links.mu
	retire  *time.Timer // ends it when it is idle
}

// NewLinks returns the bridges that open makes.
func NewLinks(open Opener) *Links {
	return &Links{open: open, links: make(map[string]*link)}
}

// Dial opens a byte stream to the agent of a sandbox, and returns when the agent
// has taken it. The connection has a CloseWrite method.
func (l *Links) Dial(ctx context.Context, id string) (net.Conn, error) {
	for {
		k, fresh := l.take(id)
		stream, err := k.stream(ctx)
		if err == nil {
			return &conn{Stream: stream, done: func() { l.give(id, k) }}, nil
		}
		again := !fresh && k.broken() && ctx.Err() == nil
		l.give(id, k)
		if !again {
			return nil, err
		}
		// It broke since it was used last; the next one is new.
	}
}

// take returns the sandbox's link, with the caller counted. A fresh one has
// been used by nobody before.
func (l *Links) take(id string) (k *link, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k = l.links[id]
	if k == nil || k.broken() {
		k, fresh = &link{ready: make(chan struct{})}, true
		l.links[id] = k
		go l.make(id, k)
	}
	k.streams++
	if k.retire != nil {
		k.retire.Stop()
	}
	return k, fresh
}

// openTimeout bounds the making of a link, for which several may wait, so that
// it is no caller's alone.
const openTimeout = 30 * time.Second

func (l *Links) make(id string, k *link) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	defer close(k.ready)
	rw, err := l.open(ctx, id)
	if err != nil {
		k.err = err
		return
	}
	k.session, k.err = yamux.Client(patient{rw}, config(), nil)
	if k.err != nil {
		rw.Close()
	}
}

// give takes one user of a link off. What is of no more use goes with the last.
func (l *Links) give(id string, k *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k.streams--
	switch {
	case k.streams > 0:
	case k.broken() || l.links[id] != k:
		l.end(id, k)
	default:
		k.retire = time.AfterFunc(idle, func() { l.endUnused(id, k) })
	}
}

// endUnused closes a link that nobody has used again.
func (l *Links) endUnused(id string, k *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.streams == 0 {
		l.end(id, k)
	}
}

func (l *Links) end(id string, k *link) {
	l.forget(id, k)
	k.close()
}

func (l *Links) forget(id string, k *link) {
	if l.links[id] == k {
		delete(l.links, id)
	}
}

// Close closes the bridges that have no streams, and each of the others with
// its last one. Links can still be used.
func (l *Links) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, k := range l.links {
		l.forget(id, k)
		if k.streams == 0 {
			k.close()
		}
	}
}
