package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/quixand/quixand/internal/agent/access"
	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/adapters"
)

// pass is what lets us into a sandbox.
type pass struct {
	agent   string // token for its agent
	traffic string // token for its other ports
	domain  string // where it has names of its own, or empty
}

// passes are those of the sandboxes that were seen: a memory, not the truth.
type passes struct {
	mu   sync.Mutex
	byID map[string]pass
}

// maxPasses keeps those of sandboxes that have ended unseen from piling up.
const maxPasses = 10_000

func (p *passes) set(id string, as pass) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.byID) >= maxPasses || p.byID == nil {
		p.byID = make(map[string]pass)
	}
	p.byID[id] = as
}

func (p *passes) get(id string) (pass, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	as, ok := p.byID[id]
	return as, ok
}

func (p *passes) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byID, id)
}

// place is where a port of a sandbox is reached.
type place struct {
	base url.URL
	id   string
	port int
}

// Transport reaches a port of a sandbox through the server's proxy.
func (a *Adapter) Transport(_ context.Context, id string, port int) (http.RoundTripper, error) {
	return &transport{a, id, port}, nil
}

type transport struct {
	adapter *Adapter
	id      string
	port    int
}

// Unsteady says that connections break although both ends live.
func (t *transport) Unsteady() bool { return true }

// RoundTrip asks the port. What the proxy answers in its place is an error.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.roundTrip(req)
	if err == nil {
		return res, nil
	}
	if req.Body != nil {
		req.Body.Close()
	}
	return nil, brokenError(req.Context(), err)
}

func (t *transport) roundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	as, err := t.pass(ctx)
	if err != nil {
		return nil, err
	}
	if t.port == adapters.AgentPort {
		res, err := ask(t.adapter, func(d dialect) (*http.Response, error) { return d.standIn(req, t.id) })
		if res != nil || err != nil {
			return res, err
		}
	}
	to, err := ask(t.adapter, func(d dialect) (place, error) { return d.dataPlane(t.id, t.port, as), nil })
	if err != nil {
		return nil, err
	}
	way := t.adapter.server.http
	if req.Header.Get("Upgrade") != "" {
		way = t.adapter.server.plain
	}
	res, err := way.RoundTrip(outgoing(req, to, as))
	if err != nil {
		return nil, err
	}
	return res, proxyError(res)
}

// pass is what lets us in; a sandbox that was not seen yet is asked for.
func (t *transport) pass(ctx context.Context) (pass, error) {
	if as, ok := t.adapter.passes.get(t.id); ok {
		return as, nil
	}
	if _, err := t.adapter.Get(ctx, t.id); err != nil {
		return pass{}, err
	}
	as, _ := t.adapter.passes.get(t.id)
	return as, nil
}

// outgoing is the request as the proxy wants it.
func outgoing(req *http.Request, to place, as pass) *http.Request {
	out := new(http.Request)
	*out = *req
	u := *req.URL
	u.Scheme, u.Host = to.base.Scheme, to.base.Host
	if to.base.Path != "" {
		u.RawPath = to.base.EscapedPath() + u.EscapedPath()
		u.Path = to.base.Path + u.Path
	}
	out.URL, out.Host = &u, to.base.Host
	out.Header = req.Header.Clone()
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	out.Header.Set(serverapi.HeaderSandbox, to.id)
	out.Header.Set(serverapi.HeaderPatient, "1")
	out.Header.Set(serverapi.HeaderPort, strconv.Itoa(to.port))
	if to.port == adapters.AgentPort {
		setIf(out.Header, access.Header, as.agent)
		return out
	}
	setIf(out.Header, serverapi.HeaderTraffic, as.traffic)
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	out.Header.Set(serverapi.HeaderHost, host)
	return out
}

func setIf(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

// maxProxyError bounds what is looked at of an answer that may be the proxy's.
const maxProxyError = 4 << 10

// proxyError is the error that the proxy answers with where the sandbox does not,
// or nil. E2B's clients tell by the same fields.
func proxyError(res *http.Response) error {
	if res.StatusCode != http.StatusBadGateway && res.StatusCode != http.StatusForbidden ||
		!strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxProxyError))
	var body struct {
		SandboxID string `json:"sandboxId"`
		Message   string `json:"message"`
		Port      int    `json:"port"`
		Code      int    `json:"code"`
	}
	if json.Unmarshal(text, &body) != nil || body.SandboxID == "" || body.Code != res.StatusCode {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(text), res.Body), res.Body}
		return nil
	}
	res.Body.Close()
	kind := adapters.ErrNotFound
	switch {
	case res.StatusCode == http.StatusForbidden:
		kind = adapters.ErrPermission
	case body.Port != 0: // there is a sandbox, where nobody listens
		kind = adapters.ErrUnavailable
	}
	return &adapters.Error{Kind: kind, Err: fmt.Errorf("the server says: %s", termsafe.Brief(body.Message))}
}
