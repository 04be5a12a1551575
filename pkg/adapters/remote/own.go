package remote

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/adapters"
)

// own is the dialect of `qs serve`: E2B's API, and what that cannot say by
// internal/serverapi.
type own struct{ client }

func ownPath(pattern, id string) string {
	return strings.Replace(pattern, "{id}", url.PathEscape(id), 1)
}

// ask is a call that only asks.
func (o *own) ask(ctx context.Context, path string, query url.Values, out any) error {
	return o.call(ctx, &request{method: http.MethodGet, path: path, query: query, header: o.header(), repeat: true}, out)
}

// post is a call that does no harm when it is made twice.
func (o *own) post(ctx context.Context, path string, body any) error {
	return o.simple(ctx, http.MethodPost, path, o.header(), body, true)
}

func (o *own) hello(ctx context.Context) (string, error) {
	var h serverapi.Hello
	err := o.ask(ctx, serverapi.PathHello, nil, &h)
	return "qs serve " + termsafe.Brief(h.Version), err
}

// known makes a server's words ours.
func (o *own) known(sb *serverapi.Sandbox) (*sandbox, error) {
	if !adapters.ValidID(sb.ID) {
		return nil, garbage("sandbox id %.40q", sb.ID)
	}
	sb.Info.Adapter = Name
	sb.Root = o.rootOf(sb.Root)
	return &sandbox{sb.Info, pass{agent: sb.AccessToken, traffic: sb.TrafficToken}}, nil
}

// rootOf is the root of a space: the default one's is this machine's.
func (o *own) rootOf(space string) string {
	if space == "" && o.space == "" {
		return o.root
	}
	return space
}

func (o *own) get(ctx context.Context, id string) (*sandbox, error) {
	var sb serverapi.Sandbox
	if err := o.ask(ctx, ownPath(serverapi.PathSandbox, id), nil, &sb); err != nil {
		return nil, err
	}
	return o.known(&sb)
}

func (o *own) list(ctx context.Context, filter adapters.Filter) ([]*sandbox, error) {
	header := o.header()
	if filter.AllRoots {
		header = nil
	}
	var told []*serverapi.Sandbox
	r := &request{method: http.MethodGet, path: serverapi.PathSandboxes, header: header, repeat: true}
	if err := o.call(ctx, r, &told); err != nil {
		return nil, err
	}
	all := make([]*sandbox, len(told))
	for i := range told {
		var err error
		if all[i], err = o.known(told[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// kill is repeated when its answer is lost: what is gone then is what was to go.
func (o *own) kill(ctx context.Context, id string, opts adapters.KillOptions) error {
	header := o.header()
	by := opts.By[:min(len(opts.By), serverapi.MaxBy)]
	header.Set(serverapi.HeaderBy, url.QueryEscape(by))
	return o.killAgain(ctx, id, header)
}

func (o *own) setDeadline(ctx context.Context, id string, idle time.Duration) error {
	return o.post(ctx, ownPath(serverapi.PathTimeout, id), serverapi.TimeoutRequest{IdleTimeout: idle})
}

// pause and resume fail when they are made twice, and so are made once.
func (o *own) pause(ctx context.Context, id string) error {
	return o.simple(ctx, http.MethodPost, sandboxPath(id, "/pause"), o.header(), nil, false)
}

func (o *own) resume(ctx context.Context, id string) error {
	return o.simple(ctx, http.MethodPost, ownPath(serverapi.PathResume, id), o.header(), nil, false)
}

func (o *own) rename(ctx context.Context, id, name string) error {
	return o.post(ctx, ownPath(serverapi.PathName, id), serverapi.NameRequest{Name: name})
}

// snapshot leaves none that its caller has no use for.
func (o *own) snapshot(ctx context.Context, id, name string) (*adapters.Snapshot, error) {
	body := map[string]string{"name": name}
	err := o.simple(ctx, http.MethodPost, sandboxPath(id, "/snapshots"), o.header(), body, false)
	if err == nil {
		return o.findSnapshot(ctx, name)
	}
	if _, answered := known(err); !answered {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		_ = o.removeSnapshot(bounded, name)
	}
	return nil, err
}

func (o *own) findSnapshot(ctx context.Context, name string) (*adapters.Snapshot, error) {
	all, err := o.snapshots(ctx)
	for _, s := range all {
		if s.Name == name {
			return s, err
		}
	}
	if err == nil {
		err = garbage("no snapshot %s, although there is one", name)
	}
	return nil, err
}

func (o *own) snapshots(ctx context.Context) ([]*adapters.Snapshot, error) {
	var all []*adapters.Snapshot
	if err := o.ask(ctx, serverapi.PathSnapshots, nil, &all); err != nil {
		return nil, err
	}
	for _, s := range all {
		s.Root = o.root
	}
	return all, nil
}

func (o *own) removeSnapshot(ctx context.Context, name string) error {
	return o.simple(ctx, http.MethodDelete, "/templates/"+url.PathEscape(serverapi.SnapshotPrefix+name), o.header(), nil, true)
}

func (o *own) stats(ctx context.Context, id string) (*adapters.Stats, error) {
	return o.measure(ctx, id, o.header())
}

func (o *own) dataPlane(id string, port int, _ pass) place { return place{o.at.base, id, port} }

// standIn lets the agent speak for itself: it is ours.
func (o *own) standIn(*http.Request, string) (*http.Response, error) { return nil, nil }
