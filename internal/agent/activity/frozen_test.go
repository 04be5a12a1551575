package activity

import (
	"testing"
	"testing/synctest"
	"time"
)

// rings lets a minute of idleness pass and has the alarm look so much later, as
// it does in a sandbox that is frozen meanwhile: its timers stand still.
func rings(c *Clock, overdue time.Duration) {
	c.mu.Lock()
	c.idle.stop()
	c.mu.Unlock()
	time.Sleep(time.Minute + overdue)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.check(&c.idle, overdue)
}

func TestFrozenPastTheDeadlineBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		rings(c, time.Hour)
		if got := elapsed(c); got != time.Minute {
			t.Errorf("ended %v after the thaw", got)
		}
	})
}

func TestFrozenAtTheDeadlineWaitsForAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		rings(c, 100*time.Millisecond)
		time.Sleep(grace / 2)
		c.SetIdle(0)
		if got := elapsed(c); got != time.Minute {
			t.Errorf("ended %v after the word", got)
		}
	})
}

func TestLateOnABusyMachineEndsAfterTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		rings(c, 100*time.Millisecond)
		if got := elapsed(c); got != grace {
			t.Errorf("ended after %v", got)
		}
	})
}

func TestLateOnceMoreEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Minute, -1, EnforceAll)
		rings(c, 100*time.Millisecond)
		c.mu.Lock()
		c.idle.timer.Stop()
		c.check(&c.idle, 100*time.Millisecond)
		c.mu.Unlock()
		if c.Err() == nil {
			t.Error("the grace was given twice")
		}
	})
}
