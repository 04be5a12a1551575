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
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/apikeys"
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
	Log    hclog.Logger // nil logs nothing
}

// Server is an http.Handler of both planes. It is safe for concurrent use.
type Server struct {
	cfg     Config
	boxes   *boxes
	uploads *uploads
	builds  *builds
	rates   rates
	control http.Handler
	proxy   *proxy
}

// New returns a Server.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	s := &Server{
		cfg: cfg, boxes: newBoxes(cfg.Client, cfg.Secret, cfg.Log), builds: newBuilds(),
		uploads: &uploads{dir: filepath.Join(cfg.Client.Root(), "serve", "uploads"), secret: cfg.Secret},
	}
	s.proxy = newProxy(s.boxes, cfg.Log)
	s.control = s.audited(s.routes())
	return s
}

// ServeHTTP sends a request to the plane that it is for.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, err := targetOf(r)
	switch {
	case err != nil:
		writeError(w, http.StatusBadRequest, err.Error())
	case to != nil:
		s.proxy.serve(w, r, *to)
	default:
		s.control.ServeHTTP(w, r)
	}
}

// audited notes every call of the control plane: who, what, and how it ended.
func (s *Server) audited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		a := &audit{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			s.cfg.Log.Info("call", "key", a.key, "method", r.Method, "path", r.URL.Path, "status", a.status,
				"from", r.RemoteAddr, "ms", time.Since(began).Milliseconds())
		}()
		next.ServeHTTP(a, r)
	})
}

type audit struct {
	http.ResponseWriter
	status int
	key    string // id, once it is known
}

func (a *audit) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *audit) Unwrap() http.ResponseWriter { return a.ResponseWriter }
