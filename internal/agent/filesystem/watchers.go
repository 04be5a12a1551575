package filesystem

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agent/watch"
)

const (
	// maxWatchers bounds the polled watches: a client that forgets to remove
	// its own must not use up the host's.
	maxWatchers = 64
	// unusedFor is how long a polled watch waits for its client.
	unusedFor = 10 * time.Minute
)

// source is what a [watch.Watcher] is to its poller.
type source interface {
	Take() ([]watch.Event, error)
	Close()
}

// polled is a watch that is asked for its events.
type polled struct {
	source
	withEntry bool
	expiry    *time.Timer
}

// watchers knows the polled watches by their ids.
type watchers struct {
	mu   sync.Mutex
	byID map[string]*polled
}

func newWatchers() *watchers { return &watchers{byID: make(map[string]*polled)} }

func (ws *watchers) add(w source, withEntry bool) (id string, err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if len(ws.byID) == maxWatchers {
		return "", connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("there are %d watchers: remove some", maxWatchers))
	}
	id = rand.Text()
	ws.byID[id] = &polled{w, withEntry, time.AfterFunc(unusedFor, func() { _ = ws.remove(id) })}
	return id, nil
}

// use returns a watch, whose time begins anew.
func (ws *watchers) use(id string) (*polled, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	p, ok := ws.byID[id]
	if !ok {
		return nil, errNoWatcher(id)
	}
	p.expiry.Reset(unusedFor)
	return p, nil
}

func (ws *watchers) remove(id string) error {
	ws.mu.Lock()
	p, ok := ws.byID[id]
	delete(ws.byID, id)
	ws.mu.Unlock()
	if !ok {
		return errNoWatcher(id)
	}
	p.expiry.Stop()
	p.Close()
	return nil
}

func (ws *watchers) close() {
	ws.mu.Lock()
	all := ws.byID
	ws.byID = make(map[string]*polled)
	ws.mu.Unlock()
	for _, p := range all {
		p.expiry.Stop()
		p.Close()
	}
}

func errNoWatcher(id string) error {
	return connect.NewError(connect.CodeNotFound, fmt.Errorf("watcher %q not found", id))
}
