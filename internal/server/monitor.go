package server

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/quixand/quixand/pkg/quixand"
)

// readyTimeout bounds the question whether the engine answers.
const readyTimeout = 5 * time.Second

// Monitor is what operators ask: metrics, and whether the server is well. It is
// for an address of its own, since the metrics tell of all keys' sandboxes and no
// key may see another's. What names a sandbox is not for it.
func (s *Server) Monitor() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.meters.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: readyTimeout}))
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /readyz", s.ready)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to, err := targetOf(r); to != nil || err != nil {
			writeError(w, http.StatusNotFound, "there are no sandboxes here")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func healthy(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// ready says whether sandboxes could be created now, and how far the templates
// have come that the server builds itself.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		writeError(w, http.StatusServiceUnavailable, "the server is about to end")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if _, err := s.cfg.Client.List(ctx, &quixand.ListOptions{Limit: 1}); err != nil {
		writeError(w, http.StatusServiceUnavailable, "the engine does not answer")
		return
	}
	if stock := s.stock.all(); len(stock) > 0 {
		writeJSON(w, http.StatusOK, map[string]any{"templates": stock})
		return
	}
	healthy(w, r)
}
