package server

import (
	"context"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// events tells what happens to the caller's sandboxes until it has heard enough.
func (s *Server) events(c *call) error {
	var since time.Time
	if text := c.request.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return badRequest("since is not a time")
		}
	}
	ctx, stop := context.WithCancel(c)
	defer stop()
	heard := make(chan quixand.Event)
	failed := make(chan error, 1)
	go func() {
		failed <- s.hear(ctx, c, since, heard)
		close(heard)
	}()
	out := newReporter(c.w)
	out.write([]byte("\n"))
	beat := time.NewTicker(serverapi.Heartbeat)
	defer beat.Stop()
	for out.err == nil {
		select {
		case event, ok := <-heard:
			if !ok {
				return nil // the client asks again
			}
			out.send(event)
		case <-beat.C:
			out.write([]byte("\n"))
		}
	}
	stop()
	<-failed
	return nil
}

// hear passes the caller's events on.
func (s *Server) hear(ctx context.Context, c *call, since time.Time, heard chan<- quixand.Event) error {
	mine := make(map[string]bool)
	for event, err := range s.cfg.Client.Events(ctx, since) {
		if err != nil {
			return err
		}
		if _, known := mine[event.ID]; !known {
			mine[event.ID] = s.isMine(ctx, c, event.ID)
		}
		if mine[event.ID] {
			select {
			case heard <- event:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if event.Type == adapters.EventRemoved {
			delete(mine, event.ID)
		}
	}
	return ctx.Err()
}

// isMine asks whoever knows about a sandbox that lives, is about to, or has.
func (s *Server) isMine(ctx context.Context, c *call, id string) bool {
	if x := s.boxes.lookUp(id); x != nil {
		return x.Key == c.key.ID && c.sees(x.record)
	}
	if info, err := s.cfg.Client.Get(ctx, id); err == nil {
		r, ok := recordOf(info)
		return ok && r.Key == c.key.ID && c.sees(r)
	}
	if e, err := s.cfg.Client.Ended(ctx, id); err == nil {
		_, ok := c.epitaph(e)
		return ok
	}
	return false
}
