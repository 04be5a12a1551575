package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/quixand/quixand/pkg/quixand"
)

// api is what clients with a key may ask of the control plane: each path of both
// generations of E2B's API. The OpenAPI document is compared with it.
func (s *Server) api() map[string]func(*call) error {
	return map[string]func(*call) error{
		"POST /sandboxes":                           s.createOpen,
		"POST /v2/sandboxes":                        s.createSecure,
		"GET /sandboxes":                            s.list,
		"GET /v2/sandboxes":                         s.list,
		"GET /sandboxes/{id}":                       s.onBox(s.describe),
		"DELETE /sandboxes/{id}":                    s.kill,
		"POST /sandboxes/{id}/connect":              s.onBox(s.connect),
		"POST /v2/sandboxes/{id}/connect":           s.onBox(s.connect),
		"POST /sandboxes/{id}/resume":               s.onBox(s.connect),
		"POST /sandboxes/{id}/timeout":              s.onBox(s.setTimeout),
		"POST /sandboxes/{id}/refreshes":            s.onBox(s.refresh),
		"POST /sandboxes/{id}/pause":                s.onBox(s.pause),
		"POST /sandboxes/{id}/fork":                 s.onBox(s.fork),
		"POST /sandboxes/{id}/snapshots":            s.onBox(s.snapshot),
		"GET /sandboxes/{id}/metrics":               s.onBox(s.metrics),
		"GET /sandboxes/{id}/logs":                  s.onBox(s.logs),
		"GET /snapshots":                            s.snapshots,
		"GET /templates":                            s.templates,
		"GET /templates/{first}/{second}":           s.alias,
		"POST /v3/templates":                        s.newTemplate,
		"GET /templates/{id}/files/{hash}":          s.buildFiles,
		"POST /v2/templates/{id}/builds/{build}":    s.startBuild,
		"GET /templates/{id}/builds/{build}/status": s.buildStatus,
		"DELETE /templates/{id}":                    s.deleteTemplate,
	}
}

// open is what needs no key, or has a signature in its place.
func (s *Server) open() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /healthz":              healthy,
		"GET /readyz":               s.ready,
		"GET /openapi.yaml":         serveOpenAPI,
		"/files":                    s.serveLink,
		"PUT /uploads/{key}/{hash}": s.uploads.receive,
	}
}

// hostedOnly is what E2B's cloud alone can do. The README's table is compared
// with it.
var hostedOnly = []string{
	"/teams", "/secrets", "/secrets/{rest...}", "/volumes", "/volumes/{rest...}",
	"PUT /sandboxes/{id}/network",
	"PATCH /v2/templates/{id}", "POST /templates/tags", "DELETE /templates/tags", // and GET /templates/{id}/tags: see alias
}

// routes is the control plane.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h http.Handler) {
		mux.Handle(pattern, h)
		s.patterns[pattern] = true
	}
	for pattern, h := range s.api() {
		handle(pattern, s.handler(h))
	}
	for pattern, h := range s.ownRoutes() {
		handle(pattern, s.handler(h))
	}
	for _, pattern := range hostedOnly {
		handle(pattern, s.handler(refuseHosted))
	}
	for pattern, h := range s.open() {
		handle(pattern, h)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "there is no such endpoint: "+r.Method+" "+r.URL.Path)
	})
	return mux
}

// routeOf is the path of the route that a request took, and never the path that
// it asked for: of those there is no end.
func (s *Server) routeOf(r *http.Request) string {
	if !s.patterns[r.Pattern] {
		return unknown
	}
	_, path, hasMethod := strings.Cut(r.Pattern, " ")
	if !hasMethod {
		return r.Pattern
	}
	return path
}

// unknown stands for routes and methods that are not the server's.
const unknown = "other"

func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return unknown
}

func refuseHosted(c *call) error {
	return &quixand.Error{Kind: quixand.ErrUnsupported, Err: fmt.Errorf("%s %s is not served here", c.request.Method, c.request.URL.Path)}
}
