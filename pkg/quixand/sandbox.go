package quixand

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentclient"
)

// Sandbox is a running sandbox. It is safe for concurrent use, holds only
// idle connections, and needs no closing: the sandbox's life is bounded by its
// timeouts and Kill, not by this value.
type Sandbox struct {
	// Files works on the sandbox's file system.
	Files *Files

	id      string
	workdir string
	client  *Client
	lease   *lease // nil: not this process's own
	unarmed bool   // no enforcer of the host's knows it

	agent *agentclient.Client
	gone  atomic.Bool // the engine has said so; it never comes back
}

// ID is the sandbox's id: lower-case letters and digits.
func (s *Sandbox) ID() string { return s.id }

// Workdir is where commands start and relative paths begin.
func (s *Sandbox) Workdir() string { return s.workdir }

// hello makes sure that the agent answers, and learns what paths are relative
// to.
func (s *Sandbox) hello(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, helloTimeout, errNoHello)
	defer cancel()
	ctx, done := s.unlessPaused(ctx)
	defer done()
	st, err := s.agent.Status(ctx)
	if err != nil {
		if e, ok := errors.AsType[*Error](context.Cause(ctx)); ok {
			return e
		}
		return err
	}
	if st.ID != s.id {
		return &Error{Kind: ErrInternal, Err: fmt.Errorf("the agent of sandbox %s answers", st.ID)}
	}
	s.workdir = st.Workdir
	return nil
}

var errNoHello = &Error{Kind: ErrUnavailable, Err: fmt.Errorf("the agent has been silent for %v", helloTimeout)}

// Kill ends the sandbox at once and without a trace. Killing one that is gone
// already is not an error. An ephemeral one ends soon also when Kill fails.
func (s *Sandbox) Kill(ctx context.Context) error {
	begin := time.Now()
	// First: a lease that ends with its sandbox would ask the engine why.
	s.lease.release()
	end := s.client.kill
	if s.unarmed {
		end = s.client.adapter.Kill
	}
	err := end(ctx, s.id, s.client.killOptions(s.lease != nil))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return s.client.wrap("kill", s.id, err)
	}
	s.gone.Store(true)
	s.agent.CloseIdleConnections()
	s.client.cfg.Logger.Debug("killed", "sandbox", s.id, "ms", time.Since(begin).Milliseconds())
	return nil
}

// Info describes the sandbox as the engine sees it.
func (s *Sandbox) Info(ctx context.Context) (*Info, error) {
	info, err := s.client.adapter.Get(ctx, s.id)
	return info, s.client.wrap("get", s.id, s.client.mourn(ctx, s.id, err))
}

// Status describes the sandbox's time and work as its agent sees them.
func (s *Sandbox) Status(ctx context.Context) (*Status, error) {
	st, err := s.agent.Status(ctx)
	if err != nil {
		return nil, s.wrap(ctx, "status", err)
	}
	return newStatus(st), nil
}

// Status is what the agent says of a sandbox. It is the word of the sandbox:
// what the host relies on is in [Info].
type Status struct {
	ID           string        `json:"id"`
	Agent        string        `json:"agent"` // version
	User         string        `json:"user"`
	Home         string        `json:"home"`
	Workdir      string        `json:"workdir"`
	Created      time.Time     `json:"created"`
	LastActive   time.Time     `json:"lastActive"`
	InFlight     int           `json:"inFlight"`
	Processes    int           `json:"processes"`
	IdleTimeout  time.Duration `json:"idleTimeout"`            // NoTimeout: none
	FixedTimeout bool          `json:"fixedTimeout,omitempty"` // see Options.FixedTimeout
	Deadline     time.Time     `json:"deadline,omitzero"`
	Lifetime     time.Time     `json:"lifetime,omitzero"`
	OnTimeout    TimeoutAction `json:"onTimeout"`
	Enforcers    []string      `json:"enforcers"` // who ends it when its time is up: agent, systemd, process

	Labels map[string]string `json:"labels,omitempty"` // see Options.Labels
}

func newStatus(st *agentapi.Status) *Status {
	s := &Status{
		ID:           st.ID,
		Agent:        st.Version,
		User:         st.User,
		Home:         st.Home,
		Workdir:      st.Workdir,
		Created:      st.Created,
		LastActive:   st.LastActive,
		InFlight:     st.InFlight,
		Processes:    st.Processes,
		Labels:       st.Labels,
		IdleTimeout:  time.Duration(st.IdleTimeout),
		FixedTimeout: st.Fixed,
		Deadline:     st.Deadline,
		Lifetime:     st.Lifetime,
		OnTimeout:    TimeoutAction(st.OnTimeout),
		Enforcers:    st.Enforcers,
	}
	if s.IdleTimeout < 0 {
		s.IdleTimeout = NoTimeout
	}
	return s
}

// RefreshTimeout sets the idle timeout to d, counted from now. Zero starts the
// present one anew; NoTimeout takes it away.
func (s *Sandbox) RefreshTimeout(ctx context.Context, d time.Duration) error {
	if d != 0 {
		if err := checkTimeout("timeout", d, 1); err != nil {
			return s.client.wrap("refresh timeout", s.id, err)
		}
	}
	err := s.client.adapter.SetDeadline(ctx, s.id, d)
	if err == nil && d > 0 && !s.unarmed {
		err = s.client.hasten(ctx, s.id, d)
	}
	return s.wrap(ctx, "refresh timeout", err)
}

// Keep keeps the sandbox from being idle until release is called, ctx ends, or
// this process does, however it ends. It is for work on behalf of the sandbox
// that the sandbox cannot see, such as a person who thinks. Its lifetime ends
// it all the same.
func (s *Sandbox) Keep(ctx context.Context) (release func(), err error) {
	release, err = s.agent.Keep(ctx)
	return release, s.wrap(ctx, "keep", err)
}
