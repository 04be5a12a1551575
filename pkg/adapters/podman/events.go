package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
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

// rawEvent is the engine's.
type rawEvent struct {
	Action   string
	TimeNano int64
	Actor    struct{ Attributes map[string]string }
}

// Events streams what happens to the sandboxes of this root, from the moment
// of the first iteration on.
func (a *Adapter) Events(ctx context.Context) iter.Seq2[adapters.Event, error] {
	return func(yield func(adapters.Event, error) bool) {
		// The engine takes a moment to listen; what happens meanwhile counts.
		since := time.Now().Format(time.RFC3339Nano)
		err := a.follow(ctx, since, func(e adapters.Event) bool { return yield(e, nil) })
		if err != nil && ctx.Err() == nil {
			yield(adapters.Event{}, mapError(err))
		}
	}
}

// follow passes events on until the receiver has enough, which is no error,
// or the stream ends, which is one.
func (a *Adapter) follow(ctx context.Context, since string, receive func(adapters.Event) bool) error {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return err
	}
	reports, err := conn.events(ctx, since, labelRoot+"="+a.root)
	if err != nil {
		return err
	}
	defer reports.Close()
	decoder := json.NewDecoder(reports)
	for {
		var raw rawEvent
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return &transportError{errors.New("the engine has ended the stream of events")}
		} else if err != nil {
			return &transportError{err}
		}
		if event, ok := eventFrom(raw); ok && !receive(event) {
			return nil
		}
	}
}

// eventFrom leaves out what is no event of a sandbox.
func eventFrom(raw rawEvent) (adapters.Event, bool) {
	event := adapters.Event{
		ID:   raw.Actor.Attributes[labelID],
		Type: eventTypes[raw.Action],
		Time: time.Unix(0, raw.TimeNano),
	}
	_, ours := nameFrom(raw.Actor.Attributes["name"], event.ID)
	return event, ours && event.Type != ""
}
