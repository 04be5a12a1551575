package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

// freezing is how much later than a sandbox has stopped its engine may tell that
// it was paused.
const freezing = 250 * time.Millisecond

var errPaused = &quixand.Error{Kind: quixand.ErrConflict, Err: errors.New("the sandbox is paused"), Hint: "connect to it, which resumes it"}

// gate is open while a sandbox runs. What is inside are requests that wait for
// its answer: they would wait for ever once it is paused. An answer that has
// begun is no longer inside; it goes on when the sandbox does. The zero value is
// open.
type gate struct {
	mu     sync.Mutex
	closed bool
	asOf   time.Time // when it was so
	inside map[*visit]struct{}
}

// visit is one request.
type visit struct {
	context.Context
	gate  *gate
	since time.Time
	end   context.CancelCauseFunc
}

// enter lets a request in, or returns nil where the gate is closed. Its context
// ends with the cause errPaused when the gate closes.
func (g *gate) enter(ctx context.Context) *visit {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	v := &visit{gate: g, since: time.Now()}
	v.Context, v.end = context.WithCancelCause(ctx)
	if g.inside == nil {
		g.inside = make(map[*visit]struct{})
	}
	g.inside[v] = struct{}{}
	return v
}

// answered says that the request waits no longer.
func (v *visit) answered() {
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	delete(v.gate.inside, v)
}

// leave is for the end of the request.
func (v *visit) leave() {
	v.answered()
	v.end(nil)
}

// set opens or closes the gate as of a moment, and reports whether it has closed
// one that was open. What is known of a later moment counts for more: events come
// late, and some tell what has been undone since.
func (g *gate) set(closed bool, asOf time.Time) (closes bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if asOf.Before(g.asOf) {
		return false
	}
	closes = closed && !g.closed
	g.closed, g.asOf = closed, asOf
	return closes
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// foundClosed reports whether a request is inside that seems to have come when
// the sandbox had stopped already.
func (g *gate) foundClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for v := range g.inside {
		if g.closed && v.since.After(g.asOf.Add(-freezing)) {
			return true
		}
	}
	return false
}

// clear ends the waiting of all that are inside, if the gate is closed.
func (g *gate) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		return
	}
	for v := range g.inside {
		v.end(errPaused)
	}
	clear(g.inside)
}
