package quixand

import (
	"context"
	"errors"
	"time"
)

// A lease that breaks is taken up again at once. Only when that fails, or the
// new connection breaks at once too, is there a pause before the next attempt:
// an agent has patience for five seconds.
const (
	leaseFirm     = time.Second // a connection that has held so long was no failure
	leaseMinPause = 50 * time.Millisecond
	leaseMaxPause = time.Second
)

// lease holds on to an ephemeral sandbox for its creator. nil holds nothing.
type lease struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// lease begins to hold the sandbox, until the lease is released, the Client is
// closed or the sandbox has ended.
func (c *Client) lease(s *Sandbox) *lease {
	ctx, cancel := context.WithCancel(c.life)
	l := &lease{cancel, make(chan struct{})}
	c.leases.Go(func() {
		defer close(l.ended)
		defer cancel()
		s.hold(ctx)
	})
	return l
}

// release lets go of the sandbox, and returns when nothing is left that holds it.
func (l *lease) release() {
	if l != nil {
		l.cancel()
		<-l.ended
	}
}

// Disown lets go of an ephemeral sandbox, which ends then unless another program
// holds it within five seconds. It is for programs that create sandboxes for
// others. Other sandboxes do not mind.
func (s *Sandbox) Disown() { s.lease.release() }

// hold holds the sandbox's lease for as long as there is a sandbox.
func (s *Sandbox) hold(ctx context.Context) {
	pause := leaseMinPause
	for {
		begin := time.Now()
		err := s.agent.HoldLease(ctx)
		if ctx.Err() != nil || s.lost(ctx, err) {
			return
		}
		if err == nil && time.Since(begin) > leaseFirm {
			pause = leaseMinPause
			continue
		}
		s.client.cfg.Logger.Debug("lost the lease", "sandbox", s.id, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, leaseMaxPause)
	}
}

// lost reports whether an error of holding the lease says that there is
// nothing to hold. An agent that has refused will go on to.
func (s *Sandbox) lost(ctx context.Context, err error) bool {
	return saidByAgent(err) || errors.Is(s.wrap(ctx, "hold", err), ErrNotFound)
}
