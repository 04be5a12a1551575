package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// newSandbox is what E2B is told of a sandbox to create.
type newSandbox struct {
	TemplateID    string            `json:"templateID"`
	Timeout       int64             `json:"timeout"`
	Metadata      map[string]string `json:"metadata"`
	EnvVars       map[string]string `json:"envVars,omitempty"`
	AutoPause     bool              `json:"autoPause"`
	AllowInternet *bool             `json:"allow_internet_access,omitempty"`
}

// refused says what of a spec E2B's sandboxes cannot have.
func refused(s *adapters.Spec) error {
	var lacking string
	switch {
	case s.Name != "":
		lacking = "names"
	case s.Ephemeral:
		lacking = "sandboxes that end with their creators"
	case s.IdleTimeout < 0:
		lacking = "sandboxes without a timeout"
	case s.Lifetime >= 0:
		lacking = "lifetimes"
	case s.Resources != adapters.Resources{}:
		lacking = "limits other than their templates'"
	case s.User != "" || s.Sudo:
		lacking = "users other than their templates'"
	default:
		return nil
	}
	return unsupported("E2B has no "+lacking, "ask for none")
}

// create creates a sandbox, or finds the one of which an attempt before has not had
// the answer: E2B knows no such attempts, but tells sandboxes by their metadata.
func (e *e2b) create(ctx context.Context, spec *adapters.Spec) (*sandbox, error) {
	if err := refused(spec); err != nil {
		return nil, err
	}
	body, call := e.body(spec), rand.Text()
	body.Metadata[metaCall] = call
	var sb *sandbox
	var err error
	for range createAttempts {
		sb, err = e.createOnce(ctx, spec, body)
		if !errors.Is(err, errBroken) && ctx.Err() == nil {
			break
		}
		found, errFind := e.byCall(context.WithoutCancel(ctx), call)
		if found != nil {
			sb, err = found, nil
			break
		}
		if errFind != nil || ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil && sb != nil {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		_ = e.kill(bounded, sb.info.ID, adapters.KillOptions{})
		return nil, context.Cause(ctx)
	}
	if err == nil && spec.Progress != nil {
		spec.Progress(adapters.Progress{Phase: adapters.PhaseReady, Done: true})
	}
	return sb, err
}

func (e *e2b) body(s *adapters.Spec) *newSandbox {
	b := &newSandbox{
		TemplateID: s.Image, Timeout: seconds(s.IdleTimeout), Metadata: maps.Clone(s.Metadata), EnvVars: s.Env,
		AutoPause: s.OnTimeout == adapters.TimeoutPause,
	}
	if b.Metadata == nil {
		b.Metadata = make(map[string]string)
	}
	b.Metadata[metaTimeout] = strconv.FormatInt(b.Timeout, 10)
	if e.space != "" {
		b.Metadata[metaRoot] = e.root
	}
	if s.Workdir != agentapi.DefaultWorkdir { // which is no promise about a template
		b.Metadata[metaWorkdir] = s.Workdir
	}
	if s.Snapshot != "" {
		b.TemplateID = s.Snapshot
	}
	if s.Network == adapters.NetworkNone {
		b.AllowInternet = new(bool)
	}
	return b
}

func (e *e2b) createOnce(ctx context.Context, spec *adapters.Spec, body *newSandbox) (*sandbox, error) {
	if spec.Fork != "" {
		return e.fork(ctx, spec.Fork, body)
	}
	var made e2bSandbox
	if err := e.call(ctx, &request{method: http.MethodPost, path: "/v2/sandboxes", body: body}, &made); err != nil {
		return nil, err
	}
	return e.complete(ctx, &made)
}

// complete asks for what the answer to a creation does not tell.
func (e *e2b) complete(ctx context.Context, made *e2bSandbox) (*sandbox, error) {
	sb, err := e.get(ctx, made.SandboxID)
	if err == nil {
		sb.pass = pass{agent: made.AccessToken, traffic: made.TrafficToken, domain: made.Domain}
	}
	return sb, err
}

// fork makes one copy, which has its source's metadata.
func (e *e2b) fork(ctx context.Context, source string, body *newSandbox) (*sandbox, error) {
	var forks []struct {
		Sandbox *e2bSandbox      `json:"sandbox"`
		Error   *serverapi.Error `json:"error"`
	}
	r := &request{method: http.MethodPost, path: sandboxPath(source, "/fork"), body: map[string]int64{"count": 1, "timeout": body.Timeout}}
	if err := e.call(ctx, r, &forks); err != nil {
		return nil, err
	}
	switch {
	case len(forks) == 1 && forks[0].Sandbox != nil:
		return e.complete(ctx, forks[0].Sandbox)
	case len(forks) == 1 && forks[0].Error != nil:
		return nil, newRefusal(forks[0].Error.Code, forks[0].Error)
	}
	return nil, garbage("%d forks", len(forks))
}

// byCall finds what an attempt has created.
func (e *e2b) byCall(ctx context.Context, call string) (*sandbox, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	pair := url.QueryEscape(metaCall) + "=" + url.QueryEscape(call)
	found, err := e.choose(ctx, url.Values{"metadata": {url.QueryEscape(pair)}, "state": {"running,paused"}})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return e.get(ctx, found[0].info.ID)
}
