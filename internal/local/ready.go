package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// expected is how soon an agent is ready, with much to spare. Until then the
// engine is not asked about its death, which would cost every creation some of
// the engine's time.
const expected = 100 * time.Millisecond

// watch begins to watch for the agent's socket. An agent that is reached through
// the engine is only to be spoken to.
func (c *creation) watch() (appears func(context.Context) error, ignore func(), err error) {
	if !c.facts.Shared {
		return func(context.Context) error { return nil }, func() {}, nil
	}
	watch, err := c.watcher.Watch(c.dirs.Sandbox(c.spec.ID))
	if err != nil {
		return nil, nil, err
	}
	return watch.Wait, watch.Close, nil
}

// unasked is how long the engine is left alone.
func (c *creation) unasked() time.Duration {
	if c.facts.Forgets {
		return 0
	}
	return expected
}

// ready waits until the agent answers. A sandbox that ends before it does is
// not waited for.
func (c *creation) ready(ctx context.Context, appears func(context.Context) error) error {
	return phase(ctx, c.spec, adapters.PhaseReady, c.spec.Budgets.Ready, func(ctx context.Context) error {
		alive, dead := context.WithCancelCause(ctx)
		var mourner sync.WaitGroup
		mourner.Go(func() {
			select {
			case <-time.After(c.unasked()):
				dead(c.death(alive))
			case <-alive.Done():
			}
		})
		err := appears(alive)
		if err == nil {
			err = c.greet(alive)
		}
		if cause := context.Cause(alive); cause != nil {
			err = cause
		}
		dead(nil)
		mourner.Wait()
		return err
	})
}

// greet makes sure that it is the agent who answers, and hands over what the
// engine must not see.
func (c *creation) greet(ctx context.Context) error {
	client := c.client(c.spec.ID)
	if len(c.spec.Env) > 0 {
		return client.Init(ctx, c.spec.Env)
	}
	_, err := client.Status(ctx)
	return err
}

// death returns when the sandbox has ended, and what can be said about it. It
// returns nil when the context ends first.
func (c *creation) death(ctx context.Context) error {
	code, err := c.engine.Wait(ctx, c.id)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil && !errors.Is(err, adapters.ErrNotFound):
		return err
	}
	text := "the sandbox ended before its agent was ready"
	if err == nil {
		text = fmt.Sprintf("the sandbox ended with exit code %d before its agent was ready", code)
	}
	if said := c.engine.LastWords(ctx, c.id, c.dirs.Log(c.spec.ID)); said != "" {
		text += ": " + said
	}
	death := errors.New(text)
	if x, ok := c.engine.(Explainer); ok {
		return x.Explain(ctx, death)
	}
	return death
}

// lastWords returns the end of the sandbox's log; s is its container, if there
// still is one.
func (a *Adapter) lastWords(ctx context.Context, id string, s *sandbox) string {
	container := ""
	if s != nil {
		container = s.ID
	}
	return a.engine.LastWords(ctx, container, a.dirs.Log(id))
}
