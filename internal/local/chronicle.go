package local

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/tombstone"
	"github.com/quixand/quixand/pkg/adapters"
)

// Events streams what happens to the sandboxes of this root: what the engine
// tells, why it happened, and what the agents tell. No file or process of ours
// takes part in it, so it also sees what others do.
func (a *Adapter) Events(ctx context.Context, since time.Time, only ...adapters.EventType) iter.Seq2[adapters.Event, error] {
	return func(yield func(adapters.Event, error) bool) {
		if since.IsZero() {
			// The engine takes a moment to listen; what happens meanwhile counts.
			since = time.Now()
		}
		c := newChronicle(ctx, a, since, only)
		defer c.end()
		for event := range c.news {
			if !yield(event, nil) {
				return
			}
		}
		if c.err != nil && ctx.Err() == nil {
			yield(adapters.Event{}, c.mapError(c.err))
		}
	}
}

// chronicle brings together what the engine and the agents tell. Whoever tells
// something waits until there is room for it; an agent forgets meanwhile, and
// says so.
type chronicle struct {
	*Adapter
	ctx    context.Context // the whole chronicle is one call
	cancel context.CancelFunc
	since  time.Time
	began  time.Time
	only   []adapters.EventType // empty for all

	news    chan adapters.Event
	err     error // set before news is closed
	readers sync.WaitGroup

	mu        sync.Mutex
	listeners map[string]*listener // by sandbox
}

// maxNews is how many events may wait for a listener. Agents are asked at once
// for what they know, though nobody hears it yet: their sandboxes may end.
const maxNews = 1 << 10

func newChronicle(ctx context.Context, a *Adapter, since time.Time, only []adapters.EventType) *chronicle {
	c := &chronicle{
		Adapter: a, since: since, began: time.Now(), only: only,
		news: make(chan adapters.Event, maxNews), listeners: make(map[string]*listener),
	}
	c.ctx, c.cancel = context.WithCancel(ctx)
	go func() {
		c.err = c.tell()
		c.cancel()
		c.readers.Wait()
		close(c.news)
	}()
	return c
}

// end waits until nobody tells anything any more.
func (c *chronicle) end() {
	c.cancel()
	for range c.news {
	}
}

// tell follows the engine until it, or the caller, has enough.
func (c *chronicle) tell() error {
	if c.asksAgents() {
		if err := c.listenToAll(); err != nil {
			return err
		}
	}
	s := &eventStream{Adapter: c.Adapter, since: c.since, told: make(map[adapters.Event]bool)}
	return s.follow(c.ctx, c.engineTold)
}

// asksAgents reports whether anything is wanted that agents tell. Each would be
// listened to over a connection of its own, and tells every command.
func (c *chronicle) asksAgents() bool {
	for _, t := range recordTypes {
		if c.wants(t) {
			return true
		}
	}
	return false
}

func (c *chronicle) wants(t adapters.EventType) bool {
	return len(c.only) == 0 || slices.Contains(c.only, t)
}

// listenToAll listens to the agents that there are, and that will be.
func (c *chronicle) listenToAll() error {
	if err := c.watchDirectories(); err != nil {
		// Whoever is heard of late tells late, or no more.
		c.log.Warn("events: short-lived sandboxes may not be heard", "error", err)
	}
	running, err := c.list(c.ctx, LabelRoot+"="+c.root)
	if err != nil {
		return err
	}
	for _, s := range running {
		if s.info.State == adapters.StateRunning {
			c.listen(s.info.ID).begin()
		}
	}
	return nil
}

// engineTold passes on what the engine has told, after what belongs before it.
func (c *chronicle) engineTold(event adapters.Event) bool {
	switch event.Type {
	case adapters.EventStarted:
		if c.asksAgents() {
			l := c.listen(event.ID)
			l.lost.Store(event.Time.After(c.began))
			defer l.begin()
		}
	case adapters.EventDied:
		c.hearOut(event.ID)
		ended := c.explain(event)
		if cause, ok := causeOf(event, ended); ok && !c.pass(cause) {
			return false
		}
		if ended != nil {
			event.Reason, event.Detail = ended.Reason, ended.Why()
		}
	}
	return c.pass(event)
}

func (c *chronicle) pass(event adapters.Event) bool {
	if !c.wants(event.Type) {
		return true
	}
	select {
	case c.news <- event:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// explain finds out why a sandbox has died, and remembers it.
func (c *chronicle) explain(died adapters.Event) *adapters.Ended {
	if time.Since(died.Time) > tombstone.MaxAge {
		return nil
	}
	// The engine may be about to remove it, and knows more until then.
	s, err := c.find(c.ctx, died.ID)
	if err != nil || s != nil && s.alive() {
		s = nil
	}
	ended, err := c.bury(c.ctx, died.ID, s)
	if err != nil {
		return nil
	}
	return ended
}

// causes are the ends that are events of their own.
var causes = map[adapters.Reason]adapters.EventType{
	adapters.ReasonKilled:    adapters.EventKilled,
	adapters.ReasonEngine:    adapters.EventKilled,
	adapters.ReasonIdle:      adapters.EventExpired,
	adapters.ReasonLifetime:  adapters.EventExpired,
	adapters.ReasonAbandoned: adapters.EventExpired,
	adapters.ReasonMemory:    adapters.EventMemory,
}

func causeOf(died adapters.Event, ended *adapters.Ended) (adapters.Event, bool) {
	if ended == nil || causes[ended.Reason] == "" {
		return adapters.Event{}, false
	}
	return adapters.Event{
		ID: died.ID, Type: causes[ended.Reason], Time: died.Time, Reason: ended.Reason, Detail: ended.Why(),
	}, true
}
