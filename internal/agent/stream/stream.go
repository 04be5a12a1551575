// Package stream fits net/http to the server streams of a Connect service: a
// client that goes away is noticed, and small events travel together.
package stream

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/quixand/quixand/internal/agent/httperr"
)

// Handler prepares requests for a handler of server streams whose request is
// one message of at most limit bytes.
func Handler(limit int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// net/http watches for the client's going away only once it has seen
		// the end of the body, which handlers have no reason to read.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		if err != nil {
			httperr.WriteErr(w, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		c := &Cork{ResponseWriter: w}
		next.ServeHTTP(c, r.WithContext(context.WithValue(r.Context(), key{}, c)))
	})
}

type key struct{}

// Cork holds back what Connect would flush after each message. It is for the
// one goroutine that handles the request.
type Cork struct {
	http.ResponseWriter
	held bool
}

// From returns the cork of the request that a context belongs to. Without
// one, messages are flushed one by one.
func From(ctx context.Context) *Cork {
	if c, ok := ctx.Value(key{}).(*Cork); ok {
		return c
	}
	return &Cork{}
}

// Hold keeps messages back until Push, or until buffers are full, or until the
// handler returns.
func (c *Cork) Hold() { c.held = true }

// Push sends what was held back.
func (c *Cork) Push() {
	if f, ok := c.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Flush implements [http.Flusher].
func (c *Cork) Flush() {
	if !c.held {
		c.Push()
	}
}

// Unwrap is for [http.ResponseController].
func (c *Cork) Unwrap() http.ResponseWriter { return c.ResponseWriter }
