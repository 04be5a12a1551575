package timeouts

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// sight is one look.
type sight struct {
	id   string
	at   time.Duration
	note Note
}

// watched returns an enforcer and what it has looked at.
func watched(t *testing.T) (*Process, func() []sight) {
	start := time.Now()
	looks := make(chan sight, 100)
	p := NewProcess(func(_ context.Context, id string, note Note) {
		looks <- sight{id, time.Since(start), note}
	})
	t.Cleanup(p.Close)
	return p, func() (seen []sight) {
		synctest.Wait()
		for len(looks) > 0 {
			seen = append(seen, <-looks)
		}
		return seen
	}
}

func TestProcessLooksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, seen := watched(t)
		_ = p.Arm(t.Context(), "a", time.Minute, Note{Idle: 5})
		_ = p.Arm(t.Context(), "b", 2*time.Minute, Note{})
		time.Sleep(time.Hour)
		if got := seen(); !slices.Equal(got, []sight{{"a", time.Minute, Note{Idle: 5}}, {"b", 2 * time.Minute, Note{}}}) {
			t.Errorf("looked: %v", got)
		}
	})
}

func TestProcessLooksAtTheEarliestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, seen := watched(t)
		for _, after := range []time.Duration{3, 2, 5} {
			_ = p.Arm(t.Context(), "a", after*time.Minute, Note{})
		}
		time.Sleep(time.Hour)
		if got := seen(); !slices.Equal(got, []sight{{"a", 2 * time.Minute, Note{}}}) {
			t.Errorf("looked: %v", got)
		}
	})
}

func TestProcessForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, seen := watched(t)
		_ = p.Arm(t.Context(), "a", time.Minute, Note{})
		_ = p.Arm(t.Context(), "b", time.Minute, Note{})
		_ = p.Disarm(t.Context(), "a")
		_ = p.Disarm(t.Context(), "unknown")
		if ids, _ := p.Armed(t.Context()); !slices.Equal(ids, []string{"b"}) {
			t.Errorf("armed: %v", ids)
		}
		p.Close()
		time.Sleep(time.Hour)
		if got := seen(); got != nil {
			t.Errorf("looked: %v", got)
		}
		if err := p.Arm(t.Context(), "a", time.Minute, Note{}); err == nil {
			t.Error("armed after Close")
		}
	})
}

func TestProcessCloseEndsLooksUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, ended := make(chan struct{}), false
		p := NewProcess(func(ctx context.Context, _ string, _ Note) {
			close(begun)
			<-ctx.Done()
			ended = true
		})
		_ = p.Arm(t.Context(), "a", time.Minute, Note{})
		<-begun
		p.Close()
		if !ended {
			t.Error("Close did not wait")
		}
	})
}
