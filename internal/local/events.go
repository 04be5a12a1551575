package local

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// ours leaves out what is no container of ours, though it has our labels.
func (e *Event) ours() bool {
	_, ok := nameFrom(e.Name, e.Labels[LabelID])
	return ok
}

// eventStream is what the engine tells, in one answer or several.
type eventStream struct {
	*Adapter
	since time.Time               // from when on the engine is asked
	told  map[adapters.Event]bool // since then
}

// follow passes events on until the receiver has enough, which is no error, or
// the engine has nothing more to say, which is one. An engine that is restarted
// is asked again, and so is Podman 4, which ends its answer whenever it rotates
// its log of events, at 1 MB.
func (s *eventStream) follow(ctx context.Context, receive func(adapters.Event) bool) error {
	for failures := 0; ; failures++ {
		began, news := time.Now(), 0
		err := s.read(ctx, func(e adapters.Event) bool {
			news++
			return receive(e)
		})
		if news > 0 || time.Since(began) >= time.Second {
			failures = 0
		}
		if !mayRecover(err) || failures >= maxFailures {
			return err
		}
		if failures > 0 && !pause(ctx, retryAfter<<failures) {
			return err
		}
	}
}

// An engine that is restarted is back within a second or two.
const (
	maxFailures = 6
	retryAfter  = 25 * time.Millisecond
)

// mayRecover reports whether an engine, which has answered before, has only
// gone away.
func mayRecover(err error) bool {
	return Unanswered(err) || errors.Is(err, adapters.ErrUnavailable)
}

// pause waits, and reports whether there is still a reason to go on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// read passes on what is new in one answer.
func (s *eventStream) read(ctx context.Context, receive func(adapters.Event) bool) error {
	for told, err := range s.engine.Events(ctx, s.since, true, LabelRoot+"="+s.root) {
		if err != nil {
			return err
		}
		if event, ok := eventFrom(&told); ok && s.note(event) && !receive(event) {
			return nil
		}
	}
	return nil
}

// note remembers an event, and says whether it is new.
func (s *eventStream) note(event adapters.Event) bool {
	// Events are given their time before they wait for their turn to be
	// logged, so a later one of the log can be a little older.
	const disorder = time.Second
	if s.told[event] {
		return false
	}
	s.told[event] = true
	if since := event.Time.Add(-disorder); since.After(s.since) {
		s.since = since
		maps.DeleteFunc(s.told, func(e adapters.Event, _ bool) bool { return e.Time.Before(since) })
	}
	return true
}

// told are the events that are passed on as the engine tells them. Why a sandbox
// has ended is more than the engine knows.
var told = []adapters.EventType{
	adapters.EventCreated, adapters.EventStarted, adapters.EventPaused, adapters.EventResumed, adapters.EventDied, adapters.EventRemoved,
}

// eventFrom leaves out what is no event of a sandbox.
func eventFrom(e *Event) (adapters.Event, bool) {
	return adapters.Event{ID: e.Labels[LabelID], Type: e.Type, Time: e.Time}, e.ours() && slices.Contains(told, e.Type)
}
