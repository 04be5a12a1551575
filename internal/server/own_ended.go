package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/quixand"
)

// ended tells how a sandbox has ended, or waits a while for that.
func (s *Server) ended(c *call) error {
	id := c.request.PathValue("id")
	e, err := s.cfg.Client.Ended(c, id)
	if errors.Is(err, quixand.ErrNotFound) && c.request.URL.Query().Get("wait") != "" {
		e, err = s.awaitEnded(c)
	}
	if err != nil {
		return err
	}
	if e == nil {
		return c.answer(http.StatusNoContent, nil)
	}
	told, ok := c.epitaph(e)
	if !ok || e.ID != id {
		return errNoBox
	}
	return c.answer(http.StatusOK, told)
}

// awaitEnded returns nothing when the sandbox has not ended for a while.
func (s *Server) awaitEnded(c *call) (*quixand.Ended, error) {
	x, err := s.box(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c, serverapi.EndedWait)
	defer cancel()
	sb, err := x.sandbox.Get(ctx)
	if err != nil {
		return nil, err
	}
	e, err := sb.Wait(ctx)
	if ctx.Err() != nil && c.Err() == nil {
		return nil, nil
	}
	return e, err
}

func (s *Server) allEnded(c *call) error {
	all, err := s.cfg.Client.AllEnded(c)
	if err != nil {
		return err
	}
	answer := []*quixand.Ended{}
	for _, e := range all {
		if told, ok := c.epitaph(e); ok {
			answer = append(answer, told)
		}
	}
	return c.answer(http.StatusOK, answer)
}

// epitaph is what the caller may know of a sandbox that was its own.
func (c *call) epitaph(e *quixand.Ended) (*quixand.Ended, bool) {
	r, ok := recordOf(&quixand.Info{Metadata: e.Metadata})
	if !ok || r.Key != c.key.ID || !c.sees(r) {
		return nil, false
	}
	within := *c
	within.root = &r.Root
	told := *e
	told.Name, _ = within.givenName(e.Name)
	told.Metadata, told.Root, told.Adapter = usersMetadata(e.Metadata), r.Root, ""
	return &told, true
}
