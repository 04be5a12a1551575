package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// eventTypes are the engine's words.
var eventTypes = map[string]adapters.EventType{
	"create":  adapters.EventCreated,
	"start":   adapters.EventStarted,
	"pause":   adapters.EventPaused,
	"unpause": adapters.EventResumed,
	"kill":    adapters.EventKilled,
	"stop":    adapters.EventKilled,
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

// neutral is the event in the words of all engines.
func (raw *rawEvent) neutral() local.Event {
	e := local.Event{
		Type:   eventTypes[raw.Action],
		Time:   time.Unix(0, raw.TimeNano),
		Name:   raw.Actor.Attributes["name"],
		Labels: raw.Actor.Attributes,
	}
	if code, err := strconv.Atoi(raw.Actor.Attributes["containerExitCode"]); err == nil {
		e.ExitCode = &code
	}
	return e
}

// Events streams what has happened to containers, and what happens from now on.
func (e *engine) Events(ctx context.Context, since time.Time, follow bool, label string) iter.Seq2[local.Event, error] {
	return func(yield func(local.Event, error) bool) {
		reports, err := e.events(ctx, follow, since.Format(time.RFC3339Nano), label)
		if err != nil {
			yield(local.Event{}, err)
			return
		}
		defer reports.Close()
		if err := readEvents(reports, yield); err != nil && (follow || !errors.Is(err, errAnswerEnded)) {
			yield(local.Event{}, mapError(err))
		}
	}
}

// errAnswerEnded is the end of one answer.
var errAnswerEnded = &local.NoAnswer{Err: errors.New("the engine has ended the stream of events")}

// readEvents passes events on until the receiver has enough, which is no error,
// or the engine has no more, which is one.
func readEvents(reports io.Reader, yield func(local.Event, error) bool) error {
	decoder := json.NewDecoder(reports)
	for {
		var raw rawEvent
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return errAnswerEnded
		} else if err != nil {
			return &local.NoAnswer{Err: err}
		}
		if raw.Message != "" {
			return errors.New(raw.Message)
		}
		if event := raw.neutral(); event.Type != "" && !yield(event, nil) {
			return nil
		}
	}
}
