package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	// settleTimeout bounds the removal of what a caller does not want any more.
	settleTimeout = 20 * time.Second
	// createAttempts bounds how often a creation is begun whose answer was lost.
	createAttempts = 3
)

// create creates a sandbox once, however often its connection breaks: the server
// knows the call again by its name.
func (o *own) create(ctx context.Context, spec *adapters.Spec) (*sandbox, error) {
	r := &request{method: http.MethodPost, path: serverapi.PathSandboxes, header: o.header(), body: specOf(spec)}
	r.header.Set(serverapi.HeaderCall, rand.Text())
	var sb *sandbox
	var err error
	for range createAttempts {
		sb, err = o.createOnce(ctx, r, spec)
		if !errors.Is(err, errBroken) || ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil || errors.Is(err, errBroken) {
		o.settle(ctx, spec.ID)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return sb, err
}

// settle removes a sandbox that may have been created, and that nobody wants.
func (o *own) settle(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	_ = o.kill(ctx, id, adapters.KillOptions{By: "its creator, who did not want it any more"})
}

func specOf(s *adapters.Spec) *serverapi.Spec {
	return &serverapi.Spec{
		ID: s.ID, Name: s.Name, Image: s.Image, Snapshot: s.Snapshot, Fork: s.Fork, Workdir: s.Workdir, User: s.User, Sudo: s.Sudo,
		Env: s.Env, Metadata: s.Metadata,
		IdleTimeout: s.IdleTimeout, FixedTimeout: s.FixedTimeout, Lifetime: s.Lifetime, OnTimeout: s.OnTimeout, Ephemeral: s.Ephemeral,
		Network: s.Network, Resources: s.Resources, Pull: s.Pull, Budgets: s.Budgets,
	}
}

// createOnce makes the call and reads how it goes.
func (o *own) createOnce(ctx context.Context, r *request, spec *adapters.Spec) (*sandbox, error) {
	b := spec.Budgets
	bounded, cancel := context.WithTimeout(ctx, b.Pull+b.Create+b.Start+2*b.Ready+patience)
	defer cancel()
	res, err := o.send(bounded, r)
	if err != nil {
		return nil, brokenError(ctx, err)
	}
	defer res.Body.Close()
	var sb *sandbox
	err = readLines(ctx, res.Body, func(report *serverapi.Report) (more bool, err error) {
		switch {
		case report == nil:
		case report.Error != nil:
			return false, newRefusal(report.Error.Code, report.Error)
		case report.Sandbox != nil:
			sb, err = o.known(report.Sandbox)
			return false, err
		case report.Progress != nil && spec.Progress != nil:
			spec.Progress(*report.Progress)
		}
		return true, nil
	})
	return sb, err
}
