package server

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// arrivals are connections whose first request has not begun. An http.Server
// that shuts down drops the requests that it reads from then on, also those of
// connections that it accepted just before.
type arrivals struct {
	waiting sync.WaitGroup
	begun   sync.Map // of connections, to the func that is told when their first request begins
}

type arrivalKey struct{}

// add is an http.Server's ConnContext.
func (a *arrivals) add(ctx context.Context, c net.Conn) context.Context {
	a.waiting.Add(1)
	begin := sync.OnceFunc(a.waiting.Done)
	a.begun.Store(c, begin)
	return context.WithValue(ctx, arrivalKey{}, begin)
}

// follow is an http.Server's ConnState.
func (a *arrivals) follow(c net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	if begin, ok := a.begun.LoadAndDelete(c); ok {
		begin.(func())()
	}
}

func (a *arrivals) noted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Value(arrivalKey{}).(func())()
		next.ServeHTTP(w, r)
	})
}

// wait is for a server that accepts no more connections. Those that ask for
// nothing are not waited for long.
func (a *arrivals) wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, arrivalTimeout)
	defer cancel()
	none := make(chan struct{})
	go func() { a.waiting.Wait(); close(none) }()
	select {
	case <-none:
	case <-ctx.Done(): // they are closed next, and the goroutine ends
	}
}
