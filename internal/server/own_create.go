package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// reportTimeout is what a client has to take a line in. One that takes none is not
// waited for.
const reportTimeout = 10 * time.Second

// ownCreate creates a sandbox as the library wants it, and tells how it goes.
func (s *Server) ownCreate(c *call) error {
	var spec serverapi.Spec
	if err := c.read(&spec); err != nil {
		return err
	}
	opts, r, err := s.optionsOf(c, &spec)
	if err != nil {
		return err
	}
	ctx, end, err := s.pending.begin(c, c.creation(spec.ID))
	if err != nil {
		return err
	}
	defer end()
	out := newReporter(c.w)
	opts.Progress = func(p quixand.Progress) { out.send(serverapi.Report{Progress: &p}) }
	x, err := s.createOnce(ctx, c, &spec, opts, r)
	var info *quixand.Info
	if err == nil {
		info, err = s.boxes.look(ctx, x)
	}
	switch {
	case err == nil:
		out.send(serverapi.Report{Sandbox: s.told(c, x, info)})
	case out.begun:
		out.send(serverapi.Report{Error: bodyOf(err)})
	default:
		return err
	}
	return nil
}

// creation is what a creation is called while it goes on.
func (c *call) creation(id string) string { return "sandbox:" + c.key.ID + ":" + id }

// createOnce creates a sandbox unless an earlier attempt of the same call has.
func (s *Server) createOnce(ctx context.Context, c *call, spec *serverapi.Spec, opts *quixand.Options, r record) (*box, error) {
	if x, err := s.ownBox(c, spec.ID); err == nil && r.Call != "" && x.Call == r.Call {
		return x, nil
	}
	release, err := s.boxes.reserve(c.key, 1)
	if err != nil {
		return nil, err
	}
	defer release()
	sb, err := s.launch(ctx, c, opts, func(ctx context.Context) (*quixand.Sandbox, error) {
		if spec.Fork != "" {
			return s.cfg.Client.Fork(ctx, spec.Fork, opts)
		}
		return s.cfg.Client.Create(ctx, opts)
	})
	if err != nil {
		return nil, err
	}
	sb.Disown() // the client holds it from now on
	if ctx.Err() != nil {
		_ = sb.Kill(context.WithoutCancel(ctx))
		return nil, context.Cause(ctx)
	}
	x := s.boxes.add(sb.ID(), r)
	// Its agent is spoken to before anybody can pause it: calls that may wait for a
	// paused sandbox need somebody to wait for.
	if _, err := x.sandbox.Get(ctx); err != nil {
		_ = sb.Kill(context.WithoutCancel(ctx))
		s.boxes.drop(x.id)
		return nil, err
	}
	return x, nil
}

// optionsOf says in the library's words what a client of ours asks for, within
// what its key may have.
func (s *Server) optionsOf(c *call, spec *serverapi.Spec) (*quixand.Options, record, error) {
	r := record{Key: c.key.ID, Template: spec.Image, Root: c.space(), Call: c.request.Header.Get(serverapi.HeaderCall)}
	opts := &quixand.Options{
		ID: spec.ID, Workdir: spec.Workdir, User: spec.User, Sudo: spec.Sudo, Env: spec.Env,
		Timeout: spec.IdleTimeout, FixedTimeout: spec.FixedTimeout, Lifetime: spec.Lifetime, OnTimeout: spec.OnTimeout,
		Ephemeral: spec.Ephemeral, Network: spec.Network, Resources: spec.Resources, Pull: spec.Pull, Budgets: spec.Budgets,
	}
	switch {
	case !adapters.ValidID(spec.ID), len(r.Call) > serverapi.MaxCall:
		return nil, r, badRequest("the id of the sandbox, or that of the call, is none")
	case spec.Metadata[recordKey] != "":
		return nil, r, badRequest("metadata " + recordKey + " is the server's own")
	}
	if err := c.mayGive(spec.IdleTimeout); err != nil {
		return nil, r, err
	}
	if err := boundLifetime(c, opts); err != nil {
		return nil, r, err
	}
	var err error
	if spec.Name != "" {
		if opts.Name, err = s.freeName(c, spec.Name); err != nil {
			return nil, r, err
		}
	}
	opts.Metadata = r.with(spec.Metadata)
	return opts, r, s.originOf(c, spec, opts)
}

// boundLifetime gives a sandbox the lifetime that its key's are bounded by.
func boundLifetime(c *call, opts *quixand.Options) error {
	most := c.key.Limits.Lifetime
	switch {
	case most <= 0:
	case opts.Lifetime > most:
		return badRequest("a lifetime of " + opts.Lifetime.String() + " is longer than this key may give, " + most.String())
	case opts.Lifetime <= 0:
		opts.Lifetime = most
	}
	return nil
}

// originOf finds what the sandbox starts from.
func (s *Server) originOf(c *call, spec *serverapi.Spec, opts *quixand.Options) error {
	switch {
	case spec.Snapshot != "":
		return s.startFrom(c, serverapi.SnapshotPrefix+spec.Snapshot, opts)
	case spec.Fork != "":
		_, err := s.ownBox(c, spec.Fork)
		return err
	case spec.Image == s.cfg.Client.Image() && c.key.Limits.Allows(spec.Image):
		return nil
	}
	return s.startFrom(c, spec.Image, opts)
}

// reporter writes one JSON value a line.
type reporter struct {
	w     http.ResponseWriter
	begun bool
	err   error // of the client's end
}

func newReporter(w http.ResponseWriter) *reporter { return &reporter{w: w} }

func (r *reporter) send(v any) {
	line, err := json.Marshal(v)
	r.err = errors.Join(r.err, err)
	r.write(append(line, '\n'))
}

// write sends a line to a client that still takes them.
func (r *reporter) write(line []byte) {
	if r.err != nil {
		return
	}
	if !r.begun {
		r.begun = true
		r.w.Header().Set("Content-Type", "application/x-ndjson")
		r.w.WriteHeader(http.StatusOK)
	}
	control := http.NewResponseController(r.w)
	_ = control.SetWriteDeadline(time.Now().Add(reportTimeout)) // where there is one
	if _, r.err = r.w.Write(line); r.err == nil {
		r.err = control.Flush()
	}
	_ = control.SetWriteDeadline(time.Time{})
}
