// Package lease ends a sandbox that belongs to somebody who is gone.
//
// Whoever holds the lease is there: what is held is a connection, which the
// kernel closes however its owner ends, and leaves alone while he is merely
// stopped. A sandbox that nobody has held for a while is abandoned, whatever
// goes on in it.
package lease

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrAbandoned is why a sandbox ends that nobody holds.
var ErrAbandoned = errors.New("abandoned")

// Times say how long nobody may hold a lease.
type Times struct {
	First time.Duration // until somebody comes for the first time
	Gap   time.Duration // between two holders
}

// Lease counts its holders. It is safe for concurrent use, and a nil Lease is
// one that never lapses.
type Lease struct {
	gap   time.Duration
	lapse func(error)

	mu      sync.Mutex
	holders int
	timer   *time.Timer // runs while there is no holder
	stopped bool
}

// New returns a Lease whose first holder is awaited from now on. lapse is
// called once at most, in a goroutine of its own, when nobody holds it.
func New(t Times, lapse func(error)) *Lease {
	l := &Lease{gap: t.Gap, lapse: lapse}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.await(t.First)
	return l
}

// Hold adds a holder; the function that it returns, which is to be called
// once, takes him away.
func (l *Lease) Hold() (release func()) {
	if l == nil {
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holders++
	l.timer.Stop()
	return l.release
}

func (l *Lease) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holders--
	if l.holders == 0 {
		l.await(l.gap)
	}
}

// await starts the timer. One that fires much too late was frozen with its
// sandbox, and those who wait to hold the lease with it: they get their time.
func (l *Lease) await(after time.Duration) {
	if l.stopped {
		return
	}
	due := time.Now().Add(after)
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case l.stopped || l.holders > 0 || l.timer != timer:
		case time.Since(due) > after/2:
			l.await(l.gap)
		default:
			l.stopped = true
			l.lapse(fmt.Errorf("%w: nobody has held its lease for %v", ErrAbandoned, after))
		}
	})
	l.timer = timer
}

// Stop makes sure that the lease never lapses any more.
func (l *Lease) Stop() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	l.timer.Stop()
}
