package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/pkg/quixand"
)

const (
	// maxBody bounds a request of the control plane, in bytes, and bodyTimeout
	// the time that its client may take over it.
	maxBody     = 1 << 20
	bodyTimeout = 30 * time.Second
)

// routes is the control plane: each path of both generations of the API.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(*call) error{
		"POST /sandboxes":                           s.createOpen,
		"POST /v2/sandboxes":                        s.createSecure,
		"GET /sandboxes":                            s.list,
		"GET /v2/sandboxes":                         s.list,
		"GET /sandboxes/{id}":                       s.describe,
		"DELETE /sandboxes/{id}":                    s.kill,
		"POST /sandboxes/{id}/connect":              s.connect,
		"POST /v2/sandboxes/{id}/connect":           s.connect,
		"POST /sandboxes/{id}/resume":               s.connect,
		"POST /sandboxes/{id}/timeout":              s.setTimeout,
		"POST /sandboxes/{id}/refreshes":            s.refresh,
		"POST /sandboxes/{id}/pause":                s.pause,
		"POST /sandboxes/{id}/fork":                 s.fork,
		"POST /sandboxes/{id}/snapshots":            s.snapshot,
		"GET /sandboxes/{id}/metrics":               s.metrics,
		"GET /sandboxes/{id}/logs":                  s.logs,
		"GET /snapshots":                            s.snapshots,
		"GET /templates":                            s.templates,
		"GET /templates/{first}/{second}":           s.alias,
		"POST /v3/templates":                        s.newTemplate,
		"GET /templates/{id}/files/{hash}":          s.buildFiles,
		"POST /v2/templates/{id}/builds/{build}":    s.startBuild,
		"GET /templates/{id}/builds/{build}/status": s.buildStatus,
		"DELETE /templates/{id}":                    s.deleteTemplate,
	} {
		mux.Handle(pattern, s.handler(h))
	}
	for _, pattern := range hostedOnly {
		mux.Handle(pattern, s.handler(refuseHosted))
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("/files", s.serveLink)
	mux.HandleFunc("PUT /uploads/{key}/{hash}", s.uploads.receive)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "there is no such endpoint: "+r.Method+" "+r.URL.Path)
	})
	return mux
}

// hostedOnly is what E2B's cloud alone can do. The README's table is compared
// with it.
var hostedOnly = []string{
	"/teams", "/secrets", "/secrets/{rest...}", "/volumes", "/volumes/{rest...}",
	"PUT /sandboxes/{id}/network",
	"PATCH /v2/templates/{id}", "POST /templates/tags", "DELETE /templates/tags", // and GET /templates/{id}/tags: see alias
}

func refuseHosted(c *call) error {
	return &quixand.Error{Kind: quixand.ErrUnsupported, Err: fmt.Errorf("%s %s is not served here", c.request.Method, c.request.URL.Path)}
}

// call is one request of the control plane by a client that may make it.
type call struct {
	context.Context
	key     apikeys.Key
	request *http.Request
	w       http.ResponseWriter
}

func (s *Server) handler(h func(*call) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := s.cfg.Keys.Find(r.Header.Get("X-Api-Key"))
		if err != nil {
			s.refuseKey(w, err)
			return
		}
		if a, ok := w.(*audit); ok {
			a.key = key.ID
		}
		if wait, ok := s.rates.allow(key); !ok {
			w.Header().Set("Retry-After", wait)
			writeError(w, http.StatusTooManyRequests, "this key has made too many calls")
			return
		}
		if err := h(&call{r.Context(), key, r, w}); err != nil {
			s.cfg.Log.Debug("a call failed", "method", r.Method, "path", r.URL.Path, "error", err)
			writeError(w, statusOf(err), textOf(err))
		}
	})
}

func (s *Server) refuseKey(w http.ResponseWriter, err error) {
	if errors.Is(err, apikeys.ErrUnknown) {
		writeError(w, http.StatusUnauthorized, "the API key is missing or wrong")
		return
	}
	s.cfg.Log.Error("the API keys cannot be read", "error", err)
	writeError(w, http.StatusServiceUnavailable, "the API keys cannot be read")
}

// ready says whether sandboxes could be created now.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if _, err := s.cfg.Client.List(ctx, &quixand.ListOptions{Limit: 1}); err != nil {
		writeError(w, http.StatusServiceUnavailable, "the engine does not answer")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// read reads the request's body; an empty one leaves v as it is.
func (c *call) read(v any) error {
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(bodyTimeout)) // where there is one
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.request.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", maxBody)}
	}
	if err != nil {
		return refusal{http.StatusBadRequest, "the body cannot be read: " + err.Error()}
	}
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
	if strings.TrimSpace(string(body)) == "" {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return refusal{http.StatusBadRequest, "the body is not what is expected: " + err.Error()}
	}
	return nil
}

// answer writes a result, and nothing at all for 204.
func (c *call) answer(status int, v any) error {
	if status == http.StatusNoContent {
		c.w.WriteHeader(status)
		return nil
	}
	writeJSON(c.w, status, v)
	return nil
}

// box is the caller's sandbox that the path names.
func (s *Server) box(c *call) (*box, error) {
	return s.boxes.owned(c, c.key.ID, c.request.PathValue("id"))
}
