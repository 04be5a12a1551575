package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"time"
)

const (
	// drainTimeout is the Drain of who does not say.
	drainTimeout = 10 * time.Second
	// arrivalTimeout is how long a drain waits for connections that have asked
	// for nothing yet.
	arrivalTimeout = time.Second
)

// answer serves on the listeners until ctx ends, and then drains. Connections
// that come meanwhile are left to whoever listens at the sockets next.
func (s *Server) answer(ctx context.Context, listeners []net.Listener) error {
	life, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	h, waiting := s.newHTTP(s), new(arrivals)
	h.Handler = waiting.noted(h.Handler)
	h.BaseContext = func(net.Listener) context.Context { return life }
	h.ConnContext, h.ConnState = waiting.add, waiting.follow
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- h.Serve(l) }()
	}
	var errs []error
	select {
	case <-ctx.Done():
	case err := <-ended:
		errs = append(errs, err)
	}
	s.draining.Store(true)
	for _, l := range listeners {
		l.Close()
	}
	for len(errs) < len(listeners) {
		errs = append(errs, <-ended)
	}
	s.drain(h, waiting, cut)
	errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, net.ErrClosed) })
	return errors.Join(errs...)
}

// drain lets the requests end that are under way, and cuts those that take too
// long: streams, for they may have no end. Their commands go on without them.
func (s *Server) drain(h *http.Server, waiting *arrivals, cut context.CancelFunc) {
	timeout, cancel := context.WithTimeout(context.Background(), s.cfg.Drain)
	defer cancel()
	waiting.wait(timeout)
	_ = h.Shutdown(timeout)     // which does not wait for connections that were upgraded
	gone := make(chan struct{}) // all handlers are
	go func() { s.requests.Wait(); close(gone) }()
	select {
	case <-gone:
		return
	case <-timeout.Done():
	}
	s.cfg.Log.Warn("requests were cut off", "after", s.cfg.Drain)
	cut()
	_ = h.Close()
	<-gone
}
