package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/agent/access"
	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/internal/lazy"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

const (
	// lookUps is how many requests may ask the engine at once for a sandbox that
	// the server does not know: anybody can send such requests.
	lookUps = 4
	// listenAgain is how long the server waits before it asks again what there is
	// when the engine does not tell, or cannot, what happens.
	listenAgain = time.Second
)

// box is a sandbox that the server knows.
type box struct {
	record
	id      string
	token   access.Token // for its agent
	traffic access.Token // for its other ports
	paused  atomic.Bool
	sandbox *lazy.Value[quixand.Sandbox]
}

// boxes are the sandboxes that the server knows: a cache of what the engine
// tells, so that no request of the data plane asks the engine.
type boxes struct {
	client *quixand.Client
	secret []byte
	log    hclog.Logger
	asking chan struct{} // see lookUps

	mu      sync.Mutex
	known   map[string]*box
	pending map[string]int // creations, by key
}

func newBoxes(client *quixand.Client, secret []byte, log hclog.Logger) *boxes {
	return &boxes{
		client: client, secret: secret, log: log, asking: make(chan struct{}, lookUps),
		known: make(map[string]*box), pending: make(map[string]int),
	}
}

// add makes a sandbox known, and returns what is known of it.
func (b *boxes) add(id string, r record) *box {
	b.mu.Lock()
	defer b.mu.Unlock()
	if there := b.known[id]; there != nil {
		return there
	}
	x := &box{record: r, id: id}
	x.sandbox = lazy.New(func(ctx context.Context) (*quixand.Sandbox, error) { return b.client.Connect(ctx, id) })
	x.token.Set(r.agentToken(b.secret, id))
	x.traffic.Set(r.trafficToken(b.secret, id))
	b.known[id] = x
	return x
}

func (b *boxes) drop(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.known, id)
}

func (b *boxes) lookUp(id string) *box {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[id]
}

// count is how many sandboxes are paused, or run.
func (b *boxes) count(paused bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, x := range b.known {
		if x.paused.Load() == paused {
			n++
		}
	}
	return n
}

// find returns a sandbox that a server has created. The engine is asked for one
// that is not known: another server may have been told to create it.
func (b *boxes) find(ctx context.Context, id string) (*box, error) {
	if x := b.lookUp(id); x != nil {
		return x, nil
	}
	if !adapters.ValidID(id) {
		return nil, errNoBox
	}
	select {
	case b.asking <- struct{}{}:
		defer func() { <-b.asking }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	info, err := b.client.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	r, ok := recordOf(info)
	if !ok || info.ID != id || !lives(info) {
		return nil, errNoBox
	}
	x := b.add(id, r)
	x.paused.Store(info.State == quixand.StatePaused)
	return x, nil
}

// lives tells a sandbox from what is left of one that has ended.
func lives(info *quixand.Info) bool {
	return info.State == quixand.StateRunning || info.State == quixand.StatePaused
}

// look asks the engine how a sandbox is now, of which its events tell a little
// later.
func (b *boxes) look(ctx context.Context, x *box) (*quixand.Info, error) {
	info, err := b.client.Get(ctx, x.id)
	if err == nil && !lives(info) {
		err = errNoBox
	}
	if err != nil {
		return nil, err
	}
	x.paused.Store(info.State == quixand.StatePaused)
	return info, nil
}

var errNoBox = &quixand.Error{Kind: quixand.ErrNotFound, Err: errors.New("there is no such sandbox")}

// owned returns a sandbox of a key. Those of other keys do not exist for it, and
// have never existed.
func (b *boxes) owned(ctx context.Context, key, id string) (*box, error) {
	x, err := b.find(ctx, id)
	if errors.Is(err, quixand.ErrNotFound) || err == nil && x.Key != key {
		return nil, errNoBox
	}
	return x, err
}

// reserve counts sandboxes that are about to be created among those of their
// key. release is for afterwards.
func (b *boxes) reserve(k apikeys.Key, n int) (release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	live := b.pending[k.ID]
	for _, x := range b.known {
		if x.Key == k.ID {
			live++
		}
	}
	if most := k.Limits.Sandboxes; most > 0 && live+n > most {
		return nil, &quixand.Error{
			Kind: quixand.ErrExhausted,
			Err:  fmt.Errorf("this key may have %d sandboxes at once, and has %d", most, live),
			Hint: "kill some, or wait for their timeouts",
		}
	}
	b.pending[k.ID] += n
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.pending[k.ID] -= n; b.pending[k.ID] == 0 {
			delete(b.pending, k.ID)
		}
	}, nil
}

// signedFor returns the sandbox whose token has signed a link to a file, for
// links say nothing else of it.
func (b *boxes) signedFor(check func(*access.Token) bool) *box {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range b.known {
		if !x.Open && check(&x.token) {
			return x
		}
	}
	return nil
}

// resume lets a paused sandbox go on. That somebody else has done so is no
// error.
func (b *boxes) resume(ctx context.Context, x *box) error {
	_, err := b.client.Resume(ctx, x.id)
	if err == nil || errors.Is(err, quixand.ErrConflict) {
		x.paused.Store(false)
		return nil
	}
	return err
}

// follow keeps up with the engine until ctx ends.
func (b *boxes) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := b.followOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		b.log.Debug("the engine does not tell what happens", "error", err)
		select {
		case <-time.After(listenAgain):
		case <-ctx.Done():
		}
	}
}

// followOnce learns what there is and then what happens. Events come from the
// time before the list, so that nothing is missed between the two.
func (b *boxes) followOnce(ctx context.Context) error {
	since := time.Now()
	if err := b.sync(ctx); err != nil {
		return err
	}
	for event, err := range b.client.Events(ctx, since) {
		if err != nil {
			return err
		}
		b.note(event)
	}
	return errors.New("the events have ended")
}

func (b *boxes) note(event quixand.Event) {
	switch event.Type {
	case adapters.EventDied, adapters.EventRemoved:
		b.drop(event.ID)
	case adapters.EventPaused, adapters.EventResumed:
		if x := b.lookUp(event.ID); x != nil {
			x.paused.Store(event.Type == adapters.EventPaused)
		}
	}
}

// sync makes known what the engine has, and nothing else but what has been
// created since it was asked.
func (b *boxes) sync(ctx context.Context) error {
	b.mu.Lock()
	before := make([]string, 0, len(b.known))
	for id := range b.known {
		before = append(before, id)
	}
	b.mu.Unlock()
	infos, err := b.client.List(ctx, nil)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(infos))
	for _, info := range infos {
		r, ok := recordOf(info)
		if !ok || !lives(info) {
			continue
		}
		there[info.ID] = true
		b.add(info.ID, r).paused.Store(info.State == quixand.StatePaused)
	}
	for _, id := range before {
		if !there[id] {
			b.drop(id)
		}
	}
	return nil
}
