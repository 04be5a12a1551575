package quixand

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/timeouts"
)

const (
	// agentPatience bounds a question to the agent of a sandbox whose time may
	// be up. An agent that lives answers within milliseconds.
	agentPatience = 2 * time.Second
	// lookTimeout bounds one look in this process.
	lookTimeout = time.Minute
	// retryAfter is when a look comes again that failed, for instance because
	// the engine did not answer.
	retryAfter = 30 * time.Second
	// looksAtOnce keeps a long list from flooding the engine.
	looksAtOnce = 8
)

// Reap looks at a sandbox, ends or pauses it if its time is up, and has it looked
// at again when that may be so. It is what `qs sandbox reap` does for systemd; the
// zero Note is for others. A sandbox that is gone is no error.
func (c *Client) Reap(ctx context.Context, id string, note timeouts.Note) error {
	if !adapters.ValidID(id) {
		return c.wrap("reap", "", invalid("%q cannot be the id of a sandbox", id))
	}
	_, err := c.look(ctx, id, note, "a timer of systemd's")
	return c.wrap("reap", id, err)
}

// processLook is the [timeouts.Look] of this process.
func (c *Client) processLook(ctx context.Context, id string, note timeouts.Note) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if _, err := c.look(ctx, id, note, "a timer of the program that created it"); err != nil {
		c.cfg.Logger.Warn("look at a sandbox whose time may be up", "sandbox", id, "error", err)
	}
}

// look does what the policy says, on behalf of by. gone says that there is no
// sandbox any more.
func (c *Client) look(ctx context.Context, id string, note timeouts.Note, by string) (gone bool, err error) {
	info, err := c.adapter.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		c.disarm(ctx, id)
		return true, nil
	}
	next := retryAfter
	if err == nil {
		gone, next, err = c.judge(ctx, info, &note, by)
	} else {
		e, _ := c.enforcement()
		info = &Info{ID: id, Enforcers: e.names}
	}
	if gone {
		return true, err
	}
	return false, errors.Join(err, c.rearm(ctx, info, next, note))
}

// judge looks at a sandbox that is there. next is when to look again.
func (c *Client) judge(ctx context.Context, info *Info, note *timeouts.Note, by string) (gone bool, next time.Duration, err error) {
	policy := timeouts.Policy{Idle: info.IdleTimeout, Lifetime: info.Lifetime, Pause: info.OnTimeout == TimeoutPause}
	if note.Idle != 0 {
		policy.Idle = note.Idle
	}
	agent, err := c.agentOf(ctx, info.ID)
	if err != nil {
		return false, retryAfter, err
	}
	defer agent.CloseIdleConnections()
	v := timeouts.View{Age: info.Age, Paused: info.State == adapters.StatePaused}
	if policy.NeedsAgent(v) {
		ask(ctx, agent, &v, note)
	}
	verdict := policy.Judge(v)
	reason := adapters.ReasonIdle
	switch verdict.Action {
	case timeouts.Leave:
		return false, verdict.Next, nil
	case timeouts.Pause:
		return false, verdict.Next, c.pauseIdle(ctx, info)
	case timeouts.Expire:
		if left, busy := refused(ctx, agent); busy {
			return false, timeouts.Sooner(left, verdict.Next), nil
		}
	case timeouts.EndLifetime:
		reason = adapters.ReasonLifetime
	}
	err = c.kill(ctx, info.ID, adapters.KillOptions{Reason: reason, By: by})
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return err == nil, retryAfter, err
}

func (c *Client) agentOf(ctx context.Context, id string) (*agentclient.Client, error) {
	rt, err := c.adapter.Transport(ctx, id, adapters.AgentPort)
	if err != nil {
		return nil, err
	}
	return agentclient.New(rt), nil
}

// ask completes a view by what the agent says, and notes what the next look
// has to know.
func ask(ctx context.Context, agent *agentclient.Client, v *timeouts.View, note *timeouts.Note) {
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	status, err := agent.Status(ctx)
	now := bootclock.Now().At
	if err != nil {
		if note.SilentSince == 0 {
			note.SilentSince = now
		}
		v.Silent = now - note.SilentSince
		return
	}
	*note = timeouts.Note{Idle: time.Duration(status.IdleTimeout)}
	v.Agent = &timeouts.Report{Idle: time.Duration(status.IdleTimeout), IdleFor: time.Duration(status.IdleFor)}
}

// refused asks the agent to end its sandbox. busy says that it is in use again,
// and left when it may be idle. An agent that has answered and now does not is
// looked at again soon.
func refused(ctx context.Context, agent *agentclient.Client) (left time.Duration, busy bool) {
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	status, err := agent.Expire(ctx)
	switch {
	case err != nil:
		return agentPatience, true
	case status.Expired:
		return 0, false
	case status.IdleTimeout < 0:
		return -1, true
	}
	return max(0, time.Duration(status.IdleTimeout-status.IdleFor)), true
}

// pauseIdle pauses a sandbox that nobody else has paused.
func (c *Client) pauseIdle(ctx context.Context, info *Info) error {
	err := c.pause(ctx, info.ID)
	if errors.Is(err, ErrConflict) {
		return nil
	}
	if err == nil {
		info.State = adapters.StatePaused
	}
	return err
}

// rearm has the sandbox looked at again, by its own enforcers. Whoever ends it
// meanwhile forgets it before this arms it, hence the second question.
func (c *Client) rearm(ctx context.Context, info *Info, next time.Duration, note timeouts.Note) error {
	e, _ := c.enforcement()
	hosts := e.with(info.Enforcers)
	if next < 0 || len(hosts) == 0 {
		return nil
	}
	err := arm(ctx, hosts, info, next, note)
	if _, gone := c.adapter.Get(ctx, info.ID); errors.Is(gone, ErrNotFound) {
		c.disarm(ctx, info.ID)
	}
	return err
}

// overdue reports whether a sandbox's time may be up so that nobody but us has
// noticed.
func (c *Client) overdue(info *Info) bool {
	if c.hosted() {
		return false
	}
	itself := endsItself(info.Enforcers, info.OnTimeout)
	if info.Lifetime >= 0 && info.Age >= info.Lifetime+backstop {
		return true
	}
	return !itself && info.State == adapters.StateRunning && info.IdleTimeout >= 0 && info.Age >= info.IdleTimeout
}

// reapOverdue ends those sandboxes whose time is up and returns the others.
func (c *Client) reapOverdue(ctx context.Context, infos []*Info) (left []*Info, ended []string) {
	gone := make([]bool, len(infos))
	slots := make(chan struct{}, looksAtOnce)
	var looks sync.WaitGroup
	for i, info := range infos {
		if info.Root != c.cfg.Root || !c.overdue(info) {
			continue
		}
		slots <- struct{}{}
		looks.Go(func() {
			defer func() { <-slots }()
			var err error
			gone[i], err = c.look(ctx, info.ID, timeouts.Note{}, "a call that found it overdue")
			c.cfg.Logger.Debug("overdue", "sandbox", info.ID, "ended", gone[i], "error", err)
		})
	}
	looks.Wait()
	for i, info := range infos {
		if gone[i] {
			ended = append(ended, info.ID)
		}
	}
	return slices.DeleteFunc(infos, func(i *Info) bool { return slices.Contains(ended, i.ID) }), ended
}

// resumed has the host's enforcers look after a sandbox again: there was nothing
// to look for while it was paused.
func (c *Client) resumed(ctx context.Context, id string) {
	if e, _ := c.enforcement(); len(e.hosts) == 0 {
		return
	}
	if _, err := c.look(ctx, id, timeouts.Note{}, "a call that resumed it"); err != nil {
		c.cfg.Logger.Debug("look at a resumed sandbox", "sandbox", id, "error", err)
	}
}
