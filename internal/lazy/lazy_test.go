package lazy

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// One caller connects for all, an error is not kept, and nobody waits for longer
// than he wants to.
func TestConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials int
		failure := errors.New("not yet")
		c := New(func(context.Context) (*int, error) {
			if dials++; dials == 1 {
				return nil, failure
			}
			time.Sleep(time.Minute)
			return &dials, nil
		})
		if _, err := c.Get(t.Context()); !errors.Is(err, failure) {
			t.Errorf("the first: %v", err)
		}
		for range 3 {
			go c.Get(t.Context())
		}
		synctest.Wait()
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Get(hasty); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one who is in a hurry: %v", err)
		}
		if got, err := c.Get(t.Context()); err != nil || *got != 2 {
			t.Errorf("after %d dials: %v", dials, err)
		}
		if c.Drop() == nil || c.Drop() != nil {
			t.Error("it is not dropped once")
		}
	})
}
