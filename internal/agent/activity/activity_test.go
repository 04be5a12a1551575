package activity

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// elapsed waits for the clock and says how long that took.
func elapsed(c *Clock) time.Duration {
	start := time.Now()
	<-c.Done()
	return time.Since(start)
}

func TestIdleEndsAtItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(5*time.Minute, -1, EnforceAll)
		if got := elapsed(c); got != 5*time.Minute {
			t.Errorf("ended after %v", got)
		}
		if !errors.Is(c.Err(), ErrIdle) {
			t.Errorf("Err = %v", c.Err())
		}
	})
}

func TestWorkInFlightIsActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		end := c.Begin()
		time.Sleep(10 * time.Minute)
		if err := c.Err(); err != nil {
			t.Fatalf("ended during work: %v", err)
		}
		end()
		if got := elapsed(c); got != time.Minute {
			t.Errorf("ended %v after the work", got)
		}
	})
}

func TestFixedIsPutOffByNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		c.Fix()
		defer c.Begin()()
		time.Sleep(30 * time.Second)
		c.Begin()()
		if _, ok := c.ExpireIdle(); ok {
			t.Error("expired half-way")
		}
		if s := c.Snapshot(); !s.Fixed || s.IdleFor != 30*time.Second || time.Until(s.Deadline) != 30*time.Second {
			t.Errorf("half-way: %+v", s)
		}
		if got := elapsed(c); got != 30*time.Second {
			t.Errorf("ended %v after the half", got)
		}
	})
}

func TestFixedCountsFromTheLastTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		c.Fix()
		time.Sleep(50 * time.Second)
		c.SetIdle(2 * time.Minute)
		if got := elapsed(c); got != 2*time.Minute {
			t.Errorf("ended %v after the new timeout", got)
		}
	})
}

func TestShortWorkPostponesTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		for range 10 {
			time.Sleep(59 * time.Second)
			c.Begin()()
		}
		if got := elapsed(c); got != time.Minute {
			t.Errorf("ended %v after the last work", got)
		}
	})
}

func TestOverlappingWorkCountsToItsLastEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		first, second := c.Begin(), c.Begin()
		time.Sleep(2 * time.Minute)
		first()
		time.Sleep(2 * time.Minute)
		second()
		if got := elapsed(c); got != time.Minute {
			t.Errorf("ended %v after the last end", got)
		}
	})
}

func TestLifetimeEndsEvenWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(-1, time.Hour, EnforceAll)
		defer c.Begin()()
		if got := elapsed(c); got != time.Hour {
			t.Errorf("ended after %v", got)
		}
		if !errors.Is(c.Err(), ErrLifetime) {
			t.Errorf("Err = %v", c.Err())
		}
	})
}

func TestSetIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		time.Sleep(59 * time.Second)
		c.SetIdle(0)
		time.Sleep(59 * time.Second)
		c.SetIdle(-1)
		time.Sleep(24 * time.Hour)
		if err := c.Err(); err != nil {
			t.Fatalf("ended without a timeout: %v", err)
		}
		c.SetIdle(2 * time.Second)
		if got := elapsed(c); got != 2*time.Second {
			t.Errorf("ended after %v", got)
		}
	})
}

func TestSetIdleDuringWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		end := c.Begin()
		c.SetIdle(time.Second)
		time.Sleep(time.Minute)
		end()
		if got := elapsed(c); got != time.Second {
			t.Errorf("ended %v after the work", got)
		}
	})
}

func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, time.Hour, EnforceAll)
		defer c.Stop()
		end := c.Begin()
		time.Sleep(30 * time.Second)
		now := time.Now()
		s := c.Snapshot()
		if s.InFlight != 1 || !s.LastActive.Equal(now) || !s.Deadline.Equal(now.Add(time.Minute)) {
			t.Errorf("during work: %+v", s)
		}
		if !s.Lifetime.Equal(s.Created.Add(time.Hour)) {
			t.Errorf("lifetime: %+v", s)
		}
		end()
		time.Sleep(10 * time.Second)
		if s := c.Snapshot(); s.InFlight != 0 || !s.Deadline.Equal(now.Add(time.Minute)) {
			t.Errorf("after work: %+v", s)
		}
	})
}

func TestOnQuietAfterEachPeriodOfWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(-1, -1, EnforceAll)
		called := make(chan time.Duration, 10)
		start := time.Now()
		c.OnQuiet(5*time.Second, func() { called <- time.Since(start) })
		time.Sleep(time.Minute) // no work, no call
		for range 3 {
			time.Sleep(2 * time.Second)
			c.Begin()() // at 62 s, 64 s, 66 s
		}
		time.Sleep(time.Minute)
		end := c.Begin() // at 126 s
		time.Sleep(time.Minute)
		end()
		time.Sleep(time.Minute)
		c.Stop()
		var calls []time.Duration
		for len(called) > 0 {
			calls = append(calls, <-called)
		}
		if want := []time.Duration{71 * time.Second, 191 * time.Second}; !slices.Equal(calls, want) {
			t.Errorf("called at %v, want %v", calls, want)
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Second, 2*time.Second, EnforceAll)
		c.Begin()()
		c.Stop()
		c.Begin()()
		time.Sleep(time.Hour)
		if err := c.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestLeavesTheEndToOthers(t *testing.T) {
	for _, c := range []struct {
		enforce        Enforce
		idle, lifetime time.Duration
	}{
		{EnforceNone, time.Minute, time.Hour},
		{EnforceLifetime, time.Minute, -1},
	} {
		synctest.Test(t, func(t *testing.T) {
			clock := New(c.idle, c.lifetime, c.enforce)
			defer clock.Stop()
			time.Sleep(2 * time.Hour)
			if err := clock.Err(); err != nil {
				t.Errorf("enforce %d: %v", c.enforce, err)
			}
			if s := clock.Snapshot(); s.IdleFor != 2*time.Hour || s.Age != 2*time.Hour {
				t.Errorf("tells %+v", s)
			}
		})
	}
}

func TestEnforcesTheLifetimeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got := elapsed(New(time.Minute, time.Hour, EnforceLifetime)); got != time.Hour {
			t.Errorf("ended after %v", got)
		}
	})
}

func TestExpireIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceNone)
		defer c.Stop()
		time.Sleep(59 * time.Second)
		early := func() {
			t.Helper()
			if _, ok := c.ExpireIdle(); ok {
				t.Error("expired early")
			}
		}
		early()
		end := c.Begin()
		time.Sleep(time.Hour)
		early()
		end()
		early()
		time.Sleep(time.Minute)
		expire, ok := c.ExpireIdle()
		if !ok || c.Err() != nil {
			t.Fatalf("expired: %t, %v", ok, c.Err())
		}
		expire()
		if err := c.Err(); !errors.Is(err, ErrIdle) {
			t.Errorf("Err = %v", err)
		}
	})
}
