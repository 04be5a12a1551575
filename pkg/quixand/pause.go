package quixand

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// Pause stops every process of the sandbox where it is. It keeps its memory and
// uses no processor time. Calls to it wait, and fail with ErrConflict after a
// while; its idle time stands still, its lifetime does not. A paused sandbox is
// ErrConflict, and ErrUnsupported is a host or an engine that cannot freeze
// processes.
func (s *Sandbox) Pause(ctx context.Context) error {
	return s.client.pause(ctx, s.id)
}

// Resume lets the sandbox go on where it was, and starts its idle time anew.
// One that is not paused is ErrConflict.
func (s *Sandbox) Resume(ctx context.Context) error {
	p, err := s.client.pauser()
	if err == nil {
		err = p.Resume(ctx, s.id)
	}
	if err == nil {
		s.client.resumed(ctx, s.id)
	}
	return s.wrap(ctx, "resume", err)
}

// Pause pauses the sandbox that an id names; see [Sandbox.Pause]. It is for
// sandboxes to which there is no connection.
func (c *Client) Pause(ctx context.Context, id string) error {
	full, err := c.resolve(ctx, id)
	if err != nil {
		return c.wrap("pause", "", err)
	}
	return c.pause(ctx, full)
}

// Resume resumes the sandbox that an id names and connects to it; see
// [Sandbox.Resume].
func (c *Client) Resume(ctx context.Context, id string) (*Sandbox, error) {
	full, err := c.resolve(ctx, id)
	if err != nil {
		return nil, c.wrap("resume", "", err)
	}
	sb, err := c.open(ctx, full)
	if err != nil {
		return nil, c.wrap("resume", full, err)
	}
	if err := sb.Resume(ctx); err != nil {
		return nil, err
	}
	return sb, sb.wrap(ctx, "resume", sb.hello(ctx))
}

func (c *Client) pause(ctx context.Context, id string) error {
	p, err := c.pauser()
	if err == nil {
		err = p.Pause(ctx, id)
	}
	if errors.Is(err, ErrConflict) && c.isPaused(ctx, id) {
		err = paused(id)
	}
	return c.wrap("pause", id, err)
}

func (c *Client) isPaused(ctx context.Context, id string) bool {
	info, err := c.adapter.Get(ctx, id)
	return err == nil && info.State == adapters.StatePaused
}

func (c *Client) pauser() (adapters.Pauser, error) {
	if p, ok := c.adapter.(adapters.Pauser); ok {
		return p, nil
	}
	return nil, errNoPause
}

var errNoPause = &Error{Kind: ErrUnsupported, Err: errors.New("this adapter's engine cannot pause sandboxes")}

func paused(id string) error {
	return &Error{Kind: ErrConflict, Err: errors.New("sandbox is paused"), Hint: "resume it with: qs resume " + id}
}

// suspicious is a silence in which the engine is asked whether the sandbox is
// paused. An agent that runs answers within a few milliseconds.
const suspicious = 250 * time.Millisecond

// unlessPaused returns a context for a call of the agent that ends when there
// is no use in waiting, because the sandbox is paused. done ends it.
func (s *Sandbox) unlessPaused(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-time.After(suspicious):
		case <-ctx.Done():
			return
		}
		if s.client.isPaused(ctx, s.id) {
			cancel(paused(s.id))
		}
	})
	return ctx, func() {
		cancel(nil)
		watch.Wait()
	}
}
