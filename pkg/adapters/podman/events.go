package podman

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/system"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/quixand/quixand/pkg/adapters"
)

// eventTypes are the engine's words for what every engine can tell.
var eventTypes = map[string]adapters.EventType{
	"create": adapters.EventCreated,
	"start":  adapters.EventStarted,
	"died":   adapters.EventDied,
	"remove": adapters.EventRemoved,
}

// Events streams what happens to the sandboxes of this root, from the moment
// of the first iteration on.
func (a *Adapter) Events(ctx context.Context) iter.Seq2[adapters.Event, error] {
	return func(yield func(adapters.Event, error) bool) {
		// The engine takes a moment to listen; what happens meanwhile counts.
		since := time.Now().Format(time.RFC3339Nano)
		ctx, cancel := context.WithCancel(ctx)
		stream, err := a.subscribe(ctx, since)
		if err != nil {
			if ctx.Err() == nil {
				yield(adapters.Event{}, mapError(err))
			}
			cancel()
			return
		}
		defer func() {
			cancel()
			for range stream { // the bindings' goroutine may wait to send
			}
		}()
		for raw := range stream {
			if event, ok := eventFrom(raw); ok && !yield(event, nil) {
				return
			}
		}
		if ctx.Err() == nil {
			yield(adapters.Event{}, mapError(&transportError{errors.New("the engine has ended the stream of events")}))
		}
	}
}

func (a *Adapter) subscribe(ctx context.Context, since string) (<-chan types.Event, error) {
	ctx, _, err := a.engine.use(ctx)
	if err != nil {
		return nil, err
	}
	stream := make(chan types.Event)
	options := new(system.EventsOptions).WithStream(true).WithSince(since).WithFilters(map[string][]string{
		"type":  {"container"},
		"label": {labelRoot + "=" + a.root},
	})
	return stream, system.Events(ctx, stream, nil, options)
}

// eventFrom leaves out what is no event of a sandbox.
func eventFrom(raw types.Event) (adapters.Event, bool) {
	event := adapters.Event{
		ID:   raw.Actor.Attributes[labelID],
		Type: eventTypes[string(raw.Action)],
		Time: time.Unix(0, raw.TimeNano),
	}
	ours := raw.Actor.Attributes["name"] == containerName(event.ID)
	return event, ours && event.Type != ""
}
