package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// eventTypes are the engine's words for what every engine can tell.
var eventTypes = map[string]adapters.EventType{
	"create":  adapters.EventCreated,
	"start":   adapters.EventStarted,
	"pause":   adapters.EventPaused,
	"unpause": adapters.EventResumed,
	"died":    adapters.EventDied,
	"remove":  adapters.EventRemoved,
}

// rawEvent is the engine's, or an error's message where it could not go on.
type rawEvent struct {
	Action   string
	TimeNano int64
	Actor    struct{ Attributes map[string]string }
	Message  string
}

// ours leaves out what is no container of ours, though it has our labels.
func (raw *rawEvent) ours() bool {
	_, ok := nameFrom(raw.Actor.Attributes["name"], raw.Actor.Attributes[labelID])
	return ok
}

// eventStream is what the engine tells, in one answer or several.
type eventStream struct {
	*Adapter
	since time.Time               // from when on the engine is asked
	told  map[adapters.Event]bool // since then

	answered bool // the engine has, at least once
}

// errAnswerEnded is the end of one answer.
var errAnswerEnded = &transportError{errors.New("the engine has ended the stream of events")}

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
		if !s.mayRecover(err) || failures >= maxFailures {
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

// mayRecover reports whether an engine that has answered once has only gone
// away.
func (s *eventStream) mayRecover(err error) bool {
	_, broken := errors.AsType[*transportError](err)
	return s.answered && (broken || errors.Is(err, adapters.ErrUnavailable))
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
	conn, err := s.engine.use(ctx)
	if err != nil {
		return err
	}
	reports, err := conn.events(ctx, true, s.since.Format(time.RFC3339Nano), labelRoot+"="+s.root)
	if err != nil {
		return err
	}
	defer reports.Close()
	s.answered = true
	decoder := json.NewDecoder(reports)
	for {
		var raw rawEvent
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return errAnswerEnded
		} else if err != nil {
			return &transportError{err}
		}
		if raw.Message != "" {
			return errors.New(raw.Message)
		}
		if event, ok := eventFrom(raw); ok && s.note(event) && !receive(event) {
			return nil
		}
	}
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

// eventFrom leaves out what is no event of a sandbox.
func eventFrom(raw rawEvent) (adapters.Event, bool) {
	event := adapters.Event{
		ID:   raw.Actor.Attributes[labelID],
		Type: eventTypes[raw.Action],
		Time: time.Unix(0, raw.TimeNano),
	}
	return event, raw.ours() && event.Type != ""
}
