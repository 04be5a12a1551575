package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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
	// wakeTimeout bounds the waking up of a sandbox for which requests wait.
	wakeTimeout = 10 * time.Second
)

// box is a sandbox that the server knows.
type box struct {
	record
	id      string
	token   access.Token // for its agent
	traffic access.Token // for its other ports
	gate    gate
	turn    chan struct{} // of who pauses or resumes it: a mutex that a context can stop waiting for
	sandbox *lazy.Value[quixand.Sandbox]
}

// boxes are the sandboxes that the server knows: a cache of what the engine
// tells, so that no request of the data plane asks the engine.
type boxes struct {
	client *quixand.Client
	secret []byte
	log    hclog.Logger
	asking chan struct{} // see lookUps
	waking sync.WaitGroup

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
	x := &box{record: r, id: id, turn: make(chan struct{}, 1)}
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
		if x.gate.isClosed() == paused {
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
	asked := time.Now()
	info, err := b.client.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if x := b.learn(info, asked); x != nil && info.ID == id {
		return x, nil
	}
	return nil, errNoBox
}

// learn makes known what the engine told of a sandbox when it was asked. It
// returns nil for one that no server has created, or that has ended.
func (b *boxes) learn(info *quixand.Info, asked time.Time) *box {
	r, ok := recordOf(info)
	if !ok || !lives(info) {
		return nil
	}
	x := b.add(info.ID, r)
	b.note(x, info.State == quixand.StatePaused, asked)
	return x
}

// lives tells a sandbox from what is left of one that has ended.
func lives(info *quixand.Info) bool {
	return info.State == quixand.StateRunning || info.State == quixand.StatePaused
}

// look asks the engine how a sandbox is now, of which its events tell a little
// later.
func (b *boxes) look(ctx context.Context, x *box) (*quixand.Info, error) {
	asked := time.Now()
	info, err := b.client.Get(ctx, x.id)
	if err == nil && !lives(info) {
		err = errNoBox
	}
	if err != nil {
		return nil, err
	}
	b.note(x, info.State == quixand.StatePaused, asked)
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
	all := slices.Collect(maps.Values(b.known))
	b.mu.Unlock()
	// Without the lock: anybody can send links, and long ones take their time.
	for _, x := range all {
		if !x.Open && check(&x.token) {
			return x
		}
	}
	return nil
}

// enter lets a request to a sandbox that runs, and wakes one up that is to be
// woken up by requests.
func (b *boxes) enter(ctx context.Context, x *box) (*visit, error) {
	if v := x.gate.enter(ctx); v != nil {
		return v, nil
	}
	if !x.AutoResume {
		return nil, errPaused
	}
	if err := b.resume(ctx, x); err != nil {
		return nil, err
	}
	if v := x.gate.enter(ctx); v != nil {
		return v, nil
	}
	return nil, errPaused
}

// take waits until nobody else pauses or resumes the sandbox.
func (x *box) take(ctx context.Context) (release func(), err error) {
	select {
	case x.turn <- struct{}{}:
		return func() { <-x.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// pause stops a sandbox. Requests that it has not answered by then are not
// answered at all.
func (b *boxes) pause(ctx context.Context, x *box) error {
	release, err := x.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	x.gate.set(true, time.Now())
	if err = b.client.Pause(ctx, x.id); err != nil {
		// Whether it has stopped is known to the engine alone.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		_, _ = b.look(ctx, x)
	}
	x.gate.clear()
	return err
}

// resume lets a paused sandbox go on. That somebody else has done so is no
// error.
func (b *boxes) resume(ctx context.Context, x *box) error {
	if !x.gate.isClosed() {
		return nil
	}
	err := b.thaw(ctx, x)
	if errors.Is(err, quixand.ErrConflict) && !x.gate.isClosed() {
		return nil
	}
	return err
}

// thaw is resume that fails for a sandbox that runs.
func (b *boxes) thaw(ctx context.Context, x *box) error {
	release, err := x.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	_, err = b.client.Resume(ctx, x.id)
	if err == nil || errors.Is(err, quixand.ErrConflict) {
		// The engine may tell only now of the pause before, or somebody may have
		// paused it again.
		_, lost := b.look(ctx, x)
		err = cmp.Or(err, lost)
	}
	return err
}

// note keeps what was heard of a sandbox. Requests that wait for one that
// somebody else has paused end, or wake it up.
func (b *boxes) note(x *box, paused bool, asOf time.Time) {
	switch {
	case !x.gate.set(paused, asOf):
	case x.AutoResume && x.gate.foundClosed():
		b.waking.Go(func() { b.wake(x) })
	default:
		x.gate.clear()
	}
}

func (b *boxes) wake(x *box) {
	ctx, cancel := context.WithTimeout(context.Background(), wakeTimeout)
	defer cancel()
	if err := b.resume(ctx, x); err != nil {
		b.log.Debug("a sandbox does not wake up", "sandbox", x.id, "error", err)
		x.gate.clear()
	}
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
	for event, err := range b.client.Events(ctx, since, followed...) {
		if err != nil {
			return err
		}
		b.hear(event)
	}
	return errors.New("the events have ended")
}

// followed is what changes a box. None of it has to be asked of agents.
var followed = []adapters.EventType{adapters.EventDied, adapters.EventRemoved, adapters.EventPaused, adapters.EventResumed}

func (b *boxes) hear(event quixand.Event) {
	switch event.Type {
	case adapters.EventDied, adapters.EventRemoved:
		b.drop(event.ID)
	case adapters.EventPaused, adapters.EventResumed:
		if x := b.lookUp(event.ID); x != nil {
			b.note(x, event.Type == adapters.EventPaused, event.Time)
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
	asked := time.Now()
	infos, err := b.client.List(ctx, nil)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(infos))
	for _, info := range infos {
		there[info.ID] = b.learn(info, asked) != nil
	}
	for _, id := range before {
		if !there[id] {
			b.drop(id)
		}
	}
	return nil
}
