// Package server is `qs serve`: it answers E2B's protocol for the sandboxes of
// one Quixand root, so that programs written for E2B run on this machine. The
// control plane is a REST API; the data plane is a proxy to the agents, which
// speak E2B's protocol themselves, and to the ports inside.
//
// It holds no engine, for all it does is calls of pkg/quixand, and no state
// that matters: what it has to know of a sandbox is in its metadata, and tokens
// are derived from one secret. So it may be killed at any moment, and the next
// one goes on.
package server

import (
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/internal/auditlog"
	"github.com/quixand/quixand/pkg/quixand"
)

// Config says what a Server serves.
type Config struct {
	Client *quixand.Client
	// Keys lets clients in.
	Keys interface {
		Find(key string) (apikeys.Key, error)
	}
	// Secret is what the tokens of sandboxes are derived from; see Secret.
	Secret []byte
	// Domain is the host, and port, below which sandboxes have names of their
	// own: PORT-ID.DOMAIN.
	Domain string
	// ReadTimeout is how long a client may take over the headers of a request,
	// and again over its body, unless that is for a sandbox; 0 is 30 s. Between
	// two parts of an upload it is the longest silence.
	ReadTimeout time.Duration
	Log         hclog.Logger // nil logs nothing
	// Drain is how long requests may go on when the server is told to end; 0 is
	// 10 s.
	Drain time.Duration
	// Stock says what becomes of the templates that E2B's clients take for given.
	Stock Stock

	Traces  trace.TracerProvider // nil makes no spans
	Audit   *auditlog.Log        // nil keeps nothing
	Proxies Proxies              // in front of the server
}

// readTimeout is the ReadTimeout of who does not say.
const readTimeout = 30 * time.Second

// Server is an http.Handler of both planes. It is safe for concurrent use.
type Server struct {
	cfg     Config
	boxes   *boxes
	uploads *uploads
	builds  *builds
	stock   *stockTemplates
	rates   rates
	meters  *meters
	tracer  trace.Tracer // nil: none
	pending pending
	control http.Handler
	proxy   *proxy

	patterns map[string]bool // of the control plane
	draining atomic.Bool     // the server takes no more requests
	requests sync.WaitGroup  // under way
	began    time.Time
}

// New returns a Server.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	if cfg.Drain == 0 {
		cfg.Drain = drainTimeout
	}
	if cfg.ReadTimeout == 0 {
		cfg.ReadTimeout = readTimeout
	}
	s := &Server{
		cfg: cfg, boxes: newBoxes(cfg.Client, cfg.Secret, cfg.Log), builds: newBuilds(),
		patterns: make(map[string]bool), began: time.Now(),
		uploads: &uploads{
			spool:  &spool{dir: filepath.Join(cfg.Client.Root(), "serve", "uploads"), most: maxUploads},
			secret: cfg.Secret, silence: cfg.ReadTimeout,
		},
	}
	s.stock = newStockTemplates(cfg.Client.Templates(), cfg.Stock)
	s.proxy = newProxy(s.boxes, cfg.Log)
	s.proxy.readTimeout = cfg.ReadTimeout
	s.meters = newMeters(s)
	if cfg.Traces != nil {
		s.tracer = cfg.Traces.Tracer(tracerName)
	}
	s.control = s.observed(s.routes())
	return s
}

// ServeHTTP sends a request to the plane that it is for.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	defer s.requests.Done()
	mustArrive(w, r, s.cfg.ReadTimeout)
	to, err := targetOf(r)
	switch {
	case err != nil:
		writeError(w, http.StatusBadRequest, err.Error())
	case to != nil:
		s.pass(w, r, *to)
	default:
		s.control.ServeHTTP(w, r)
	}
}
