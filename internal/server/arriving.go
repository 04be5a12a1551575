package server

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// mustArrive bounds the time for what is still to come of a request. Go's server
// reads a body to its end when nobody else does, and would wait for it for ever.
func mustArrive(w http.ResponseWriter, r *http.Request, within time.Duration) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)) // where there is one
	}
}

// mayArriveLate takes that back. A deadline would also end a request that takes
// long for other reasons.
func mayArriveLate(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

var errAnswered = errors.New("the request has been answered")

// arriving is the body of an HTTP/1 request whose answer may come before its end.
// Go's server leaves it to the handler then that nobody reads the body later on,
// which would be the next request of the connection, or end the process.
type arriving struct {
	body io.ReadCloser
	w    http.ResponseWriter

	reading sync.Mutex // held for as long as a read takes
	mu      sync.Mutex
	end     error // that reads have come to, io.EOF when all has arrived
}

func (a *arriving) Read(p []byte) (int, error) {
	a.reading.Lock()
	defer a.reading.Unlock()
	if err := a.ended(); err != nil {
		return 0, err
	}
	n, err := a.body.Read(p)
	if err != nil {
		a.finish(err)
	}
	return n, err
}

// Close leaves the body to the server, which looks for its end in its own time.
func (a *arriving) Close() error { return nil }

func (a *arriving) ended() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.end
}

func (a *arriving) finish(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.end == nil {
		a.end = err
	}
}

// closeUnlessArrived has the connection closed after the answer that is about to
// begin. What were still to come of the body would else be taken for another
// request, which somebody else gets the answer of when a proxy shares the
// connection among clients.
func (a *arriving) closeUnlessArrived(h http.Header) {
	if a != nil && !errors.Is(a.ended(), io.EOF) {
		h.Set("Connection", "close")
	}
}

// stop ends reading. What is left of the body is the server's, for a while.
func (a *arriving) stop(within time.Duration) {
	a.finish(errAnswered)
	if errors.Is(a.ended(), io.EOF) {
		return
	}
	c := http.NewResponseController(a.w)
	_ = c.SetReadDeadline(time.Unix(1, 0))
	a.reading.Lock() // a read that waits has ended
	defer a.reading.Unlock()
	_ = c.SetReadDeadline(time.Now().Add(within))
}
