package remote

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

const (
	// overlap is by how much a stream that broke is read again: events of several
	// sandboxes do not come in the order of their times.
	overlap = 10 * time.Second
	// maxTold bounds how many events are known again.
	maxTold = 8192
)

// Events tells what happens, over as many connections as that takes.
func (a *Adapter) Events(ctx context.Context, since time.Time, only ...adapters.EventType) iter.Seq2[adapters.Event, error] {
	return func(yield func(adapters.Event, error) bool) {
		s := &telling{since: since, told: make(map[adapters.Event]bool), only: only, yield: yield}
		if since.IsZero() {
			s.since = time.Now()
		}
		from := since
		for failures := 0; ; failures++ {
			heard := s.heard
			err := tell(a, func(d dialect) error { return d.events(ctx, from, s.receive) })
			if s.heard > heard {
				failures = 0
			}
			if s.enough {
				return
			}
			broken := errors.Is(err, errBroken) || errors.Is(err, errSilent)
			if ctx.Err() != nil || !broken || failures >= attempts || !sleep(ctx, firstPause<<failures) {
				if err = whyEnded(ctx, err); err != nil {
					yield(adapters.Event{}, err)
				}
				return
			}
			from = s.since.Add(-overlap)
		}
	}
}

// whyEnded is the context's error once that has ended.
func whyEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// telling remembers what it has told, so that nothing is told twice.
type telling struct {
	since  time.Time // the latest that was told of
	told   map[adapters.Event]bool
	only   []adapters.EventType // empty for all
	heard  int
	enough bool
	yield  func(adapters.Event, error) bool
}

func (s *telling) receive(e adapters.Event) bool {
	s.heard++
	key := e
	key.Time = e.Time.Round(0).UTC()
	if s.told[key] {
		return true
	}
	if len(s.told) >= maxTold {
		s.forget()
	}
	s.told[key] = true
	if e.Time.After(s.since) {
		s.since = e.Time
	}
	if len(s.only) > 0 && !slices.Contains(s.only, e.Type) {
		return true
	}
	s.enough = !s.yield(e, nil)
	return !s.enough
}

// forget lets go of what no server tells again.
func (s *telling) forget() {
	for e := range s.told {
		if s.since.Sub(e.Time) > 2*overlap {
			delete(s.told, e)
		}
	}
	if len(s.told) >= maxTold {
		clear(s.told)
	}
}

// Ended tells how a sandbox has ended.
func (a *Adapter) Ended(ctx context.Context, id string) (*adapters.Ended, error) {
	return ask(a, func(d dialect) (*adapters.Ended, error) { return d.ended(ctx, id, false) })
}

// AwaitEnded asks again and again, each time for a while.
func (a *Adapter) AwaitEnded(ctx context.Context, id string) (*adapters.Ended, error) {
	for {
		e, err := ask(a, func(d dialect) (*adapters.Ended, error) { return d.ended(ctx, id, true) })
		if e != nil || err != nil {
			return e, err
		}
	}
}

// AllEnded tells of all that are remembered.
func (a *Adapter) AllEnded(ctx context.Context) ([]*adapters.Ended, error) {
	return ask(a, func(d dialect) ([]*adapters.Ended, error) { return d.allEnded(ctx) })
}
