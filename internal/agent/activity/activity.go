// Package activity keeps a sandbox's time: whether anything goes on, since
// when nothing does, and when that has lasted too long.
//
// Time is measured on the monotonic clock, which stands still while the host
// is suspended: a laptop that slept for the night finds its sandboxes as it
// left them. A frozen sandbox, by contrast, ages.
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

// Clock counts the work in flight and closes Done when the sandbox has been
// idle for its idle timeout, or has reached the end of its lifetime. It is
// safe for concurrent use.
type Clock struct {
	created time.Time
	end     time.Time // zero: no lifetime
	done    chan struct{}

	mu       sync.Mutex
	idle     time.Duration // negative: none
	inFlight int
	last     time.Time // when the last piece of work began or ended
	timer    *time.Timer
	lifetime *time.Timer
	err      error
}

// New starts a clock. A timeout below zero never fires; zero fires at once.
func New(idle, lifetime time.Duration) *Clock {
	now := time.Now()
	c := &Clock{created: now, last: now, idle: idle, done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if lifetime >= 0 {
		c.end = now.Add(lifetime)
		c.lifetime = time.AfterFunc(lifetime, func() { c.fire(fmt.Errorf("%w after %v", ErrLifetime, lifetime)) })
	}
	c.rearm()
	return c
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
	if c.inFlight == 0 && c.timer == nil {
		c.rearm()
	}
}

// SetIdle gives a new idle timeout, which starts now; negative is none and
// zero restarts the present one.
func (c *Clock) SetIdle(idle time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if idle != 0 {
		c.idle = idle
	}
	c.last = time.Now()
	c.rearm()
}

// rearm sets the timer to the moment at which the sandbox will have been idle
// for long enough. Work does not touch the timer, so that a request costs no
// more than a lock: check finds out what has happened since.
func (c *Clock) rearm() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if c.idle >= 0 && c.err == nil {
		c.timer = time.AfterFunc(time.Until(c.last.Add(c.idle)), c.check)
	}
}

func (c *Clock) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer == nil || c.err != nil {
		return
	}
	c.timer = nil
	switch {
	case c.idle < 0 || c.inFlight > 0: // finish arms it again
	case time.Until(c.last.Add(c.idle)) > 0:
		c.rearm()
	default:
		c.expire(fmt.Errorf("%w for %v", ErrIdle, c.idle))
	}
}

func (c *Clock) fire(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.expire(err)
	}
}

func (c *Clock) expire(err error) {
	c.err = err
	close(c.done)
}

// Done is closed when the time is up.
func (c *Clock) Done() <-chan struct{} { return c.done }

// Err says why Done was closed, and is nil before.
func (c *Clock) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Stop releases the timers.
func (c *Clock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = -1
	c.rearm()
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
	Deadline   time.Time // when nothing happens from now on; zero: none
	Lifetime   time.Time // zero: none
}

// Snapshot describes the clock now.
func (c *Clock) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Snapshot{Created: c.created, LastActive: c.last, InFlight: c.inFlight, Idle: c.idle, Lifetime: c.end}
	if c.inFlight > 0 {
		s.LastActive = time.Now()
	}
	if c.idle >= 0 {
		s.Deadline = s.LastActive.Add(c.idle)
	}
	return s
}
