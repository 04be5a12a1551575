package server

import (
	"context"
	"errors"
	"testing"
	"time"
)

func ended(v *visit) error { return context.Cause(v) }

func TestAClosedGateEndsTheWaiting(t *testing.T) {
	var g gate
	waits, answered := g.enter(t.Context()), g.enter(t.Context())
	answered.answered()
	if !g.set(true, time.Now()) {
		t.Error("it was open")
	}
	if g.set(true, time.Now()) {
		t.Error("it was closed already")
	}
	if g.enter(t.Context()) != nil {
		t.Error("it lets in while it is closed")
	}
	g.clear()
	if !errors.Is(ended(waits), errPaused) || ended(answered) != nil {
		t.Errorf("who waits: %v; who has its answer: %v", ended(waits), ended(answered))
	}
	g.set(false, time.Now())
	again := g.enter(t.Context())
	if again == nil {
		t.Fatal("it is open")
	}
	g.clear()
	if ended(again) != nil {
		t.Error("an open gate ends nobody's waiting")
	}
	if again.leave(); len(g.inside) != 0 {
		t.Error("who has left is inside")
	}
}

func TestLateNewsDoNotCount(t *testing.T) {
	var g gate
	now := time.Now()
	g.set(true, now)
	g.set(false, now.Add(-time.Second))
	if !g.isClosed() {
		t.Error("an older state has replaced a newer one")
	}
	g.set(false, now.Add(time.Second))
	if g.isClosed() {
		t.Error("the newer state is not known")
	}
}

func TestWhoFindsTheGateClosed(t *testing.T) {
	for age, found := range map[time.Duration]bool{0: true, time.Minute: false} {
		var g gate
		v := g.enter(t.Context())
		v.since = v.since.Add(-age)
		g.set(true, time.Now())
		if g.foundClosed() != found {
			t.Errorf("came %v before: %v", age, !found)
		}
	}
}
