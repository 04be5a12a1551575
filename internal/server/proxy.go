package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/agent/access"
	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// ours are headers that are between client and server: code in a sandbox is
// not to learn what lets its caller in.
var ours = []string{serverapi.HeaderKey, access.Header, serverapi.HeaderTraffic, serverapi.HeaderSandbox, serverapi.HeaderPort, serverapi.HeaderHost, serverapi.HeaderPatient}

// proxy is the data plane.
type proxy struct {
	boxes       *boxes
	readTimeout time.Duration // for what a sandbox has not read of a request
	log         hclog.Logger
	// They differ in the buffers that they copy through.
	streams, files *httputil.ReverseProxy
}

func newProxy(b *boxes, log hclog.Logger) *proxy {
	p := &proxy{boxes: b, log: log}
	large := newBuffers(fileBytes)
	p.streams = p.reverse(rewrite, newBuffers(streamBytes))
	p.files = p.reverse(func(pr *httputil.ProxyRequest) {
		rewrite(pr)
		if pr.Out.Body != nil {
			pr.Out.Body = &bulk{pr.Out.Body, large}
		}
	}, large)
	return p
}

func (p *proxy) reverse(rewrite func(*httputil.ProxyRequest), buffers *buffers) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:    rewrite,
		Transport:  p,
		BufferPool: buffers,
		ModifyResponse: func(resp *http.Response) error {
			passageOf(resp.Request.Context()).body.closeUnlessArrived(resp.Header)
			return nil
		},
		FlushInterval: -1,
		ErrorHandler:  p.fail,
		ErrorLog:      p.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

// passage is a request that has been let in.
type passage struct {
	target
	box     *box
	sandbox *quixand.Sandbox
	visit   *visit
	body    *arriving // nil where there is none, and for HTTP/2
}

type passageKey struct{}

func passageOf(ctx context.Context) *passage { return ctx.Value(passageKey{}).(*passage) }

// serve passes a request on to a port of a sandbox.
func (p *proxy) serve(w http.ResponseWriter, r *http.Request, to target) {
	x, err := p.boxes.find(r.Context(), to.id)
	if err != nil {
		p.gone(w, to)
		return
	}
	if !p.mayPass(w, r, to, x) {
		return
	}
	visit, err := p.enter(r, x)
	if err != nil {
		p.gone(w, to)
		return
	}
	defer visit.leave()
	sb, err := x.sandbox.Get(visit)
	if err != nil {
		p.log.Debug("the sandbox cannot be reached", "sandbox", to.id, "error", err)
		p.gone(w, to)
		return
	}
	p.pass(w, r, &passage{target: to, box: x, sandbox: sb, visit: visit})
}

func (p *proxy) pass(w http.ResponseWriter, r *http.Request, to *passage) {
	if r.ContentLength != 0 && r.Header.Get("Upgrade") != "" {
		// Two would read from the connection.
		writeError(w, http.StatusBadRequest, "a request for another protocol has no body")
		return
	}
	r = r.WithContext(context.WithValue(to.visit, passageKey{}, to))
	mayArriveLate(w)
	// An HTTP/1 server would otherwise read what is left of the request once the
	// answer begins, and break requests whose answer comes early. HTTP/2 never does.
	if r.ContentLength != 0 && r.ProtoMajor == 1 && http.NewResponseController(w).EnableFullDuplex() == nil {
		to.body = &arriving{body: r.Body, w: w}
		r.Body = to.body
		defer to.body.stop(p.readTimeout)
	}
	through := p.streams
	if to.port == adapters.AgentPort && movesFiles(r.URL.Path) {
		through = p.files
	}
	through.ServeHTTP(w, r)
}

// enter lets a request to a sandbox that runs, or to one for which it will wait.
func (p *proxy) enter(r *http.Request, x *box) (*visit, error) {
	if r.Header.Get(serverapi.HeaderPatient) != "" && !x.AutoResume {
		return new(gate).enter(r.Context()), nil
	}
	return p.boxes.enter(r.Context(), x)
}

// mayPass lets in who has the sandbox's token, and answers all others.
func (p *proxy) mayPass(w http.ResponseWriter, r *http.Request, to target, x *box) bool {
	if to.port != adapters.AgentPort {
		if x.traffic.Matches(r.Header.Get(serverapi.HeaderTraffic)) {
			return true
		}
		deny(w)
		writeProxyError(w, http.StatusForbidden, to, "the traffic access token is missing or wrong")
		return false
	}
	if !public(r.URL.Path) {
		writeJSON(w, http.StatusNotFound, map[string]any{"code": http.StatusNotFound, "path": r.URL.Path, "message": "there is no such endpoint"})
		return false
	}
	if err := x.token.Check(r); err != nil {
		deny(w)
		writeError(w, http.StatusUnauthorized, err.Error())
		return false
	}
	return true
}

// publicPaths are what clients may ask of an agent. What only the sandbox's host
// should, such as /init, is not among them.
var publicPaths = []string{
	"/health", "/metrics", "/envs", pathFiles, "/files/compose",
	agentapi.PathStatus, agentapi.PathUsage, agentapi.PathLife, agentapi.PathTunnel, agentapi.PathArchive,
	agentapi.PathLogs, agentapi.PathTail, agentapi.PathLabels, agentapi.PathKeep, agentapi.PathLease,
}

func public(path string) bool {
	for _, service := range []string{"/process.Process/", "/filesystem.Filesystem/"} {
		if method, ok := strings.CutPrefix(path, service); ok {
			return method != "" && !strings.ContainsAny(method, "/.")
		}
	}
	return slices.Contains(publicPaths, path)
}

// rewrite makes the request that the sandbox sees.
func rewrite(pr *httputil.ProxyRequest) {
	to := passageOf(pr.In.Context())
	for _, name := range ours {
		pr.Out.Header.Del(name)
	}
	pr.Out.URL.Scheme, pr.Out.URL.Host = "http", to.id
	if to.port == adapters.AgentPort {
		return
	}
	pr.SetXForwarded()
	if host := pr.In.Header.Get(serverapi.HeaderHost); host != "" {
		pr.Out.Host = host
	}
	if mask := to.box.Host; mask != "" {
		pr.Out.Host = strings.ReplaceAll(mask, "${PORT}", strconv.Itoa(to.port))
	}
}

// RoundTrip asks the sandbox.
func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	to := passageOf(r.Context())
	defer to.visit.answered()
	return to.sandbox.Transport(to.port).RoundTrip(r)
}

// fail answers when the sandbox does not.
func (p *proxy) fail(w http.ResponseWriter, r *http.Request, err error) {
	to := passageOf(r.Context())
	to.body.closeUnlessArrived(w.Header())
	p.log.Debug("no answer of a sandbox", "sandbox", to.id, "port", to.port, "error", err)
	switch {
	case errors.Is(context.Cause(r.Context()), errPaused):
		p.gone(w, to.target)
	case r.Context().Err() != nil: // nobody listens any more
		panic(http.ErrAbortHandler)
	case errors.Is(err, quixand.ErrNotFound):
		p.boxes.drop(to.id)
		p.gone(w, to.target)
	case to.port != adapters.AgentPort && errors.Is(err, quixand.ErrUnavailable):
		writeProxyError(w, http.StatusBadGateway, to.target, "the port is not open in the sandbox")
	default:
		p.gone(w, to.target)
	}
}

// gone says that there is no such sandbox, or that it does not run, in words
// that E2B's clients compare.
func (p *proxy) gone(w http.ResponseWriter, to target) {
	writeJSON(w, http.StatusBadGateway, serverapi.ProxyError{SandboxID: to.id, Message: "The sandbox was not found", Code: http.StatusBadGateway})
}

func writeProxyError(w http.ResponseWriter, status int, to target, message string) {
	writeJSON(w, status, serverapi.ProxyError{SandboxID: to.id, Message: message, Port: to.port, Code: status})
}

// serveLink answers a signed link to a file that names no sandbox: it is the
// one whose token has signed it.
func (s *Server) serveLink(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("signature") {
		writeError(w, http.StatusBadRequest, "a link to a file has a signature, or else the request names a sandbox in its headers")
		return
	}
	expired := false
	x := s.boxes.signedFor(func(t *access.Token) bool {
		err := t.Check(r)
		expired = expired || errors.Is(err, access.ErrExpired)
		return err == nil
	})
	switch {
	case x != nil:
		w.(*exchange).passed = true
		s.pass(w, r, target{x.id, adapters.AgentPort})
	case expired:
		deny(w)
		writeError(w, http.StatusUnauthorized, access.ErrExpired.Error())
	default:
		deny(w)
		writeError(w, http.StatusUnauthorized, access.ErrSignature.Error())
	}
}
