package lease

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var times = Times{First: 8 * time.Second, Gap: 5 * time.Second}

// recorder notes when a lease has lapsed, and why.
type recorder struct {
	begin time.Time
	mu    sync.Mutex
	after time.Duration
	why   error
}

func (r *recorder) lapse(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.after, r.why = time.Since(r.begin), why
}

func start(t *testing.T) (*Lease, *recorder) {
	t.Helper()
	r := &recorder{begin: time.Now()}
	l := New(times, r.lapse)
	t.Cleanup(l.Stop)
	return l, r
}

func (r *recorder) expect(t *testing.T, after time.Duration) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !errors.Is(r.why, ErrAbandoned) || r.after != after {
		t.Errorf("lapsed after %v: %v; want %v", r.after, r.why, after)
	}
}

func (r *recorder) expectNone(t *testing.T) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why != nil {
		t.Errorf("lapsed after %v: %v", r.after, r.why)
	}
}

func TestNobodyComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := start(t)
		time.Sleep(time.Minute)
		r.expect(t, times.First)
	})
}

func TestHolderGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := start(t)
		release := l.Hold()
		time.Sleep(time.Hour)
		release()
		time.Sleep(time.Minute)
		r.expect(t, time.Hour+times.Gap)
	})
}

func TestHolderComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := start(t)
		for range 5 {
			release := l.Hold()
			time.Sleep(time.Minute)
			release()
			time.Sleep(times.Gap - time.Millisecond)
		}
		r.expectNone(t)
		time.Sleep(time.Second)
		r.expect(t, 5*(time.Minute+times.Gap)-4*time.Millisecond)
	})
}

// A new connection may be there before the agent has noticed that the old one
// is broken.
func TestHoldersOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := start(t)
		first := l.Hold()
		second := l.Hold()
		first()
		time.Sleep(time.Hour)
		r.expectNone(t)
		second()
		time.Sleep(time.Minute)
		r.expect(t, time.Hour+times.Gap)
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := start(t)
		release := l.Hold()
		l.Stop()
		release()
		time.Sleep(time.Hour)
		r.expectNone(t)
	})
}

func TestNone(t *testing.T) {
	var l *Lease
	l.Hold()()
	l.Stop()
}
