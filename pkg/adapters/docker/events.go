package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// eventTypes are the daemon's words.
var eventTypes = map[events.Action]adapters.EventType{
	events.ActionCreate:  adapters.EventCreated,
	events.ActionStart:   adapters.EventStarted,
	events.ActionPause:   adapters.EventPaused,
	events.ActionUnPause: adapters.EventResumed,
	events.ActionKill:    adapters.EventKilled,
	events.ActionStop:    adapters.EventKilled,
	events.ActionDie:     adapters.EventDied,
	events.ActionDestroy: adapters.EventRemoved,
	events.ActionOOM:     adapters.EventMemory,

	// Podman's, behind the same API.
	events.ActionRemove: adapters.EventRemoved,
}

// errAnswerEnded is the end of one answer.
var errAnswerEnded = &local.NoAnswer{Err: errors.New("the daemon has ended the stream of events")}

// Events streams what has happened to containers, of which the daemon remembers
// the last few hundred, and what happens from now on.
func (e *engine) Events(ctx context.Context, since time.Time, follow bool, label string) iter.Seq2[local.Event, error] {
	return func(yield func(local.Event, error) bool) {
		conn, err := e.use(ctx)
		if err != nil {
			yield(local.Event{}, err)
			return
		}
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		options := client.EventsListOptions{
			Since:   stamp(since),
			Filters: make(client.Filters).Add("type", string(events.ContainerEventType)).Add("label", label),
		}
		if !follow {
			options.Until = stamp(time.Now())
		}
		if err := read(conn.Events(ctx, options), yield); err != nil && (follow || !errors.Is(err, errAnswerEnded)) {
			yield(local.Event{}, mapError(err))
		}
	}
}

// stamp is a time as the daemon reads it to the nanosecond.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// read passes events on until the receiver has enough, which is no error, or
// the daemon has no more, which is one.
func read(answer client.EventsResult, yield func(local.Event, error) bool) error {
	for {
		select {
		case m := <-answer.Messages:
			if event := neutralEvent(&m); event.Type != "" && !yield(event, nil) {
				return nil
			}
		case err := <-answer.Err:
			if err == nil || errors.Is(err, io.EOF) {
				return errAnswerEnded
			}
			return err
		}
	}
}

// neutralEvent is the event in the words of all engines.
func neutralEvent(m *events.Message) local.Event {
	e := local.Event{
		Type: eventTypes[m.Action], Time: time.Unix(0, m.TimeNano),
		Name: m.Actor.Attributes["name"], Labels: m.Actor.Attributes,
	}
	if code, err := strconv.Atoi(m.Actor.Attributes["exitCode"]); err == nil {
		e.ExitCode = &code
	}
	return e
}
