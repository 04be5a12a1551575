package agent

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"

	"github.com/quixand/quixand/internal/agent/httperr"
)

// recovering turns a panic into an error of one request: the agent is PID 1,
// and its end would be the sandbox's.
func recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &tracker{ResponseWriter: w}
		defer t.recover()
		next.ServeHTTP(t, r)
	})
}

// tracker knows whether an answer has begun.
type tracker struct {
	http.ResponseWriter
	begun bool
}

func (t *tracker) recover() {
	v := recover()
	if v == nil {
		return
	}
	err, _ := v.(error)
	aborted := errors.Is(err, http.ErrAbortHandler)
	if !aborted {
		fmt.Fprintf(os.Stderr, "qs-agent: panic: %v\n%s", v, debug.Stack())
	}
	if t.begun || aborted {
		panic(http.ErrAbortHandler) // only a broken connection tells
	}
	httperr.Write(t, http.StatusInternalServerError, "the agent panicked, which is a bug")
}

func (t *tracker) WriteHeader(status int) {
	t.begun = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracker) Write(p []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(p)
}

// ReadFrom keeps large files on the short way through net/http.
func (t *tracker) ReadFrom(r io.Reader) (int64, error) {
	t.begun = true
	return io.Copy(t.ResponseWriter, r)
}

// Flush implements [http.Flusher].
func (t *tracker) Flush() {
	t.begun = true
	_ = http.NewResponseController(t.ResponseWriter).Flush()
}

// Unwrap is for [http.ResponseController].
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }
