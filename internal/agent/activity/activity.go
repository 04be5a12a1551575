// Package activity keeps a sandbox's time: whether anything goes on, since
// when nothing does, and when that has lasted too long.
//
// Time is measured on the monotonic clock, which stands still while the host
// is suspended: a laptop that slept for the night finds its sandboxes as it
// left them. It does not stand still while the sandbox alone is frozen, but a
// sandbox that was frozen past its idle timeout begins that anew: nobody could
// have used it. Its lifetime, by contrast, ends when it ends.
package activity

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Why a sandbox ends by itself.
var (
	ErrIdle     = errors.New("idle")
	ErrLifetime = errors.New("lifetime is over")
)

// Enforce says which ends a clock brings about by itself. The others it only
// tells, for somebody else to bring about.
type Enforce int

const (
	EnforceAll Enforce = iota
	EnforceLifetime
	EnforceNone
)

// Clock counts the work in flight and closes Done when the sandbox has been
// idle for its idle timeout, or has reached the end of its lifetime. It is
// safe for concurrent use.
type Clock struct {
	enforce  Enforce
	created  time.Time
	end      time.Time // zero: no lifetime
	lifetime *time.Timer
	done     chan struct{}

	mu       sync.Mutex
	inFlight int
	last     time.Time // when the last piece of work began or ended
	idle     alarm     // ends the sandbox
	quiet    alarm     // see OnQuiet
	err      error
}

// alarm rings when nothing was in flight for a while.
type alarm struct {
	after time.Duration // negative: never
	ring  func()        // called with the clock's lock held
	timer *time.Timer   // nil: to be set when work ends
	// from, unless it is zero, is what the alarm counts from, whatever goes on.
	from time.Time
	// graced says that the timer has rung late and been set once more.
	graced bool
}

// New starts a clock. A timeout below zero never fires; zero fires at once.
func New(idle, lifetime time.Duration, enforce Enforce) *Clock {
	now := time.Now()
	c := &Clock{enforce: enforce, created: now, last: now, done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet.after = -1
	c.idle = alarm{after: idle, ring: func() {
		if c.enforce == EnforceAll {
			c.expireIdle()
		}
	}}
	c.set(&c.idle)
	if lifetime >= 0 {
		c.end = now.Add(lifetime)
	}
	if lifetime >= 0 && enforce != EnforceNone {
		c.lifetime = time.AfterFunc(lifetime, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.expire(fmt.Errorf("%w after %v", ErrLifetime, lifetime))
		})
	}
	return c
}

// Fix makes the idle timeout one that no work puts off: it counts from now, and
// from each SetIdle.
func (c *Clock) Fix() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle.from = time.Now()
}

// since is what an alarm counts from.
func (c *Clock) since(a *alarm) time.Time {
	if a.from.IsZero() {
		return c.last
	}
	return a.from
}

// busy reports whether work in flight puts an alarm off.
func (c *Clock) busy(a *alarm) bool { return c.inFlight > 0 && a.from.IsZero() }

// ExpireIdle decides whether the time has come by the idle timeout, whatever
// the clock enforces, and if so gives the function that closes Done. What begins
// after the decision comes too late, so whoever asks first and ends then does
// not end work that has just begun.
func (c *Clock) ExpireIdle() (end func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle.after < 0 || c.busy(&c.idle) || time.Since(c.since(&c.idle)) < c.idle.after {
		return nil, false
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.expireIdle()
	}, true
}

func (c *Clock) expireIdle() {
	if c.idle.from.IsZero() {
		c.expire(fmt.Errorf("%w for %v", ErrIdle, c.idle.after))
	} else {
		c.expire(fmt.Errorf("%w: its timeout of %v is over", ErrIdle, c.idle.after))
	}
}

// OnQuiet has f called, in a goroutine of its own, each time that nothing has
// been in flight for a while after something was.
func (c *Clock) OnQuiet(after time.Duration, f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet = alarm{after: after, ring: func() { go f() }}
}

// Begin reports a piece of work; the function that it returns, which may be
// called once, reports its end.
func (c *Clock) Begin() (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight++
	c.last = time.Now()
	return c.finish
}

func (c *Clock) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight--
	c.last = time.Now()
	if c.inFlight == 0 {
		c.set(&c.idle)
		c.set(&c.quiet)
	}
}

// SetIdle gives a new idle timeout, which starts now; negative is none and
// zero restarts the present one.
func (c *Clock) SetIdle(idle time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if idle != 0 {
		c.idle.after = idle
	}
	c.begin(&c.idle)
	c.idle.stop()
	c.set(&c.idle)
}

// begin has an alarm count from now.
func (c *Clock) begin(a *alarm) {
	c.last = time.Now()
	if !a.from.IsZero() {
		a.from = c.last
	}
}

// set starts an alarm's timer unless it runs. Work does not touch a timer that
// runs, so that a request costs no more than a lock: check finds out what has
// happened since.
func (c *Clock) set(a *alarm) {
	if a.timer != nil || a.after < 0 || c.err != nil {
		return
	}
	c.setFor(a, c.since(a).Add(a.after))
}

func (c *Clock) setFor(a *alarm, due time.Time) {
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(due), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if a.timer == timer { // else it was stopped too late
			c.check(a, time.Since(due))
		}
	})
	a.timer = timer
}

// A timer that rings late was frozen with its sandbox, or the machine is out
// of breath.
const (
	// frozen is later than any machine: the time begins anew.
	frozen = time.Second
	// late may be either: whoever has thawed the sandbox gets the grace to say
	// that it is wanted.
	late  = 20 * time.Millisecond
	grace = 500 * time.Millisecond
)

// check is what an alarm's timer does, which is overdue by so much.
func (c *Clock) check(a *alarm, overdue time.Duration) {
	a.timer = nil
	graced := a.graced
	a.graced = false
	switch {
	case c.busy(a): // finish sets it again
	case time.Until(c.since(a).Add(a.after)) > 0:
		c.set(a)
	case c.err != nil:
	case overdue > frozen:
		c.begin(a)
		c.set(a)
	case overdue > late && !graced:
		a.graced = true
		c.setFor(a, time.Now().Add(grace))
	default:
		a.ring()
	}
}

func (a *alarm) stop() {
	a.graced = false
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

// Expire says that the time is up for a reason that is not the clock's.
func (c *Clock) Expire(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(err)
}

func (c *Clock) expire(err error) {
	if c.err == nil {
		c.err = err
		close(c.done)
	}
}

// Done is closed when the time is up.
func (c *Clock) Done() <-chan struct{} { return c.done }

// Err says why Done was closed, and is nil before.
func (c *Clock) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Stop releases the timers: the clock never fires any more.
func (c *Clock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range []*alarm{&c.idle, &c.quiet} {
		a.stop()
		a.after = -1
	}
	if c.lifetime != nil {
		c.lifetime.Stop()
	}
}

// Snapshot is the state of a clock at one moment.
type Snapshot struct {
	Created    time.Time
	LastActive time.Time
	InFlight   int
	Idle       time.Duration
	IdleFor    time.Duration // zero while work is in flight; of a fixed timeout, how much is over
	Age        time.Duration
	Deadline   time.Time // when nothing happens from now on; zero: none
	Fixed      bool      // see Fix
	Lifetime   time.Time // zero: none
}

// Snapshot describes the clock now.
func (c *Clock) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Snapshot{Created: c.created, LastActive: c.last, InFlight: c.inFlight, Idle: c.idle.after, Lifetime: c.end}
	now := time.Now()
	if c.inFlight > 0 {
		s.LastActive = now
	}
	s.IdleFor, s.Age = now.Sub(s.LastActive), now.Sub(c.created)
	counted := s.LastActive
	if s.Fixed = !c.idle.from.IsZero(); s.Fixed {
		counted, s.IdleFor = c.idle.from, now.Sub(c.idle.from)
	}
	if c.idle.after >= 0 {
		s.Deadline = counted.Add(c.idle.after)
	}
	return s
}
