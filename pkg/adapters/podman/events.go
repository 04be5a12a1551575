package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// eventTypes are the engine's words for what every engine can tell.
var eventTypes = map[string]adapters.EventType{
	"create": adapters.EventCreated,
	"start":  adapters.EventStarted,
	"died":   adapters.EventDied,
	"remove": adapters.EventRemoved,
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

// Events streams what happens to the sandboxes of this root, from the moment
// of the first iteration on.
func (a *Adapter) Events(ctx context.Context) iter.Seq2[adapters.Event, error] {
	return func(yield func(adapters.Event, error) bool) {
		// The engine takes a moment to listen; what happens meanwhile counts.
		s := &eventStream{Adapter: a, since: time.Now(), told: make(map[adapters.Event]bool)}
		err := s.follow(ctx, func(e adapters.Event) bool { return yield(e, nil) })
		if err != nil && ctx.Err() == nil {
			yield(adapters.Event{}, mapError(err))
		}
	}
}

// eventStream is what the engine tells, in one answer or several.
type eventStream struct {
	*Adapter
	since time.Time               // from when on the engine is asked
	told  map[adapters.Event]bool // since then
}

// errAnswerEnded is the end of one answer.
var errAnswerEnded = &transportError{errors.New("the engine has ended the stream of events")}

// follow passes events on until the receiver has enough, which is no error, or
// the engine has nothing more to say, which is one. Podman 4 ends its answer
// whenever it rotates its log of events, at 1 MB, and is asked again then; it
// is not when that gave nothing at all.
func (s *eventStream) follow(ctx context.Context, receive func(adapters.Event) bool) error {
	for {
		began, news := time.Now(), 0
		err := s.read(ctx, func(e adapters.Event) bool {
			news++
			return receive(e)
		})
		if !errors.Is(err, errAnswerEnded) || news == 0 && time.Since(began) < time.Second {
			return err
		}
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
