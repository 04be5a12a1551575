package contract

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	"github.com/onsi/gomega/types"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

func describeEvents(f *fixture) {
	Describe("events", needs(EventStreamer), func() {
		it("tell the life of a sandbox, whoever causes them", func(ctx SpecContext) { f.tellsLife(ctx, false) })
		it("tell all the life of one that is killed at once", func(ctx SpecContext) { f.tellsLife(ctx, true) })
		it("tell when the time of a sandbox is up", func(ctx SpecContext) {
			events := f.events(ctx, time.Time{})
			b := f.create(ctx, &quixand.Options{Timeout: time.Second})
			events.skipTo(ctx, b, adapters.EventReady)
			events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventExpired), "Reason": Equal(adapters.ReasonIdle), "Detail": Equal("idle for 1s")})
			events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventDied), "Reason": Equal(adapters.ReasonIdle)})
			events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventRemoved)})
		})
		for _, ending := range f.harness.Endings {
			it("tell of an end by "+ending.Name, func(ctx SpecContext) {
				events := f.events(ctx, time.Time{})
				b := f.create(ctx, nil)
				events.skipTo(ctx, b, adapters.EventReady)
				Expect(ending.End(ctx, f.root, b.ID())).To(Succeed())
				if ending.Reason == adapters.ReasonEngine {
					events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventKilled), "Reason": Equal(ending.Reason)})
				}
				events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventDied), "Reason": Equal(ending.Reason)})
				events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventRemoved)})
			})
		}
		it("tell of pauses", needs(Pauser), func(ctx SpecContext) {
			events := f.events(ctx, time.Time{})
			b := f.create(ctx, nil)
			events.skipTo(ctx, b, adapters.EventReady)
			Expect(b.Pause(ctx)).To(Succeed())
			events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventPaused)})
			Expect(b.Resume(ctx)).To(Succeed())
			events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventResumed)})
		})
		it("tell what has happened before", func(ctx SpecContext) {
			before := time.Now()
			gone := f.create(ctx, nil)
			Expect(gone.Kill(ctx)).To(Succeed())
			b := f.create(ctx, nil)
			b.sh(ctx, "true")
			events := f.stream(ctx, before)
			events.expect(ctx, gone, gstruct.Fields{"Type": Equal(adapters.EventCreated)})
			events.expect(ctx, gone, gstruct.Fields{"Type": Equal(adapters.EventStarted)})
			events.expect(ctx, gone, gstruct.Fields{"Type": Equal(adapters.EventKilled)})
			f.stream(ctx, before).skipTo(ctx, b, adapters.EventExec)
		})
		it("tell no more than what is wanted", func(ctx SpecContext) {
			events := f.events(ctx, time.Time{}, adapters.EventCreated, adapters.EventExec, adapters.EventRemoved)
			engines := f.events(ctx, time.Time{}, adapters.EventDied, adapters.EventRemoved)
			b := f.create(ctx, nil)
			b.sh(ctx, "true")
			Expect(b.Kill(ctx)).To(Succeed())
			for _, t := range []adapters.EventType{adapters.EventCreated, adapters.EventExec, adapters.EventRemoved} {
				events.expect(ctx, b, gstruct.Fields{"Type": Equal(t)})
			}
			for _, t := range []adapters.EventType{adapters.EventDied, adapters.EventRemoved} {
				engines.expect(ctx, b, gstruct.Fields{"Type": Equal(t)})
			}
		})
		it("lose nothing to a slow listener", func(ctx SpecContext) {
			events := f.events(ctx, time.Time{})
			b := f.create(ctx, nil)
			b.sh(ctx, "for i in $(seq 5); do true; done")
			for range 200 {
				b.sh(ctx, "true")
			}
			events.skipTo(ctx, b, adapters.EventReady)
			for range 201 {
				events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventExec)})
			}
		})
	})
}

// tellsLife creates, uses and kills a sandbox: before anything has been heard of it,
// or after that.
func (f *fixture) tellsLife(ctx SpecContext, atOnce bool) {
	GinkgoHelper()
	events := f.events(ctx, time.Time{})
	b := f.create(ctx, nil)
	Expect(b.number(ctx, "echo $$")).To(BeNumerically(">", 0))
	if atOnce {
		Expect(b.Kill(ctx)).To(Succeed())
	}
	events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventCreated)})
	events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventStarted)})
	events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventReady)})
	events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventExec), "Detail": ContainSubstring("echo $$"), "PID": BeNumerically(">", 0)})
	if !atOnce {
		Expect(b.Kill(ctx)).To(Succeed())
	}
	events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventKilled), "Reason": Equal(adapters.ReasonKilled), "Detail": HavePrefix("killed by ")})
	events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventDied), "Reason": Equal(adapters.ReasonKilled)})
	events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventRemoved)})
}

// stream is what an adapter of its own tells, until the case ends.
type stream struct{ events chan adapters.Event }

// events is a stream that has begun: an engine tells what happens from some moment
// on and does not say when that is, so sandboxes come and go until the first
// one is told.
func (f *fixture) events(ctx context.Context, since time.Time, only ...adapters.EventType) *stream {
	GinkgoHelper()
	s := f.stream(ctx, since, only...)
	for {
		b := f.create(ctx, nil)
		Expect(b.Kill(ctx)).To(Succeed())
		if s.tells(ctx, b) {
			return s
		}
	}
}

// tells reports whether an event of a sandbox that is gone comes soon.
func (s *stream) tells(ctx context.Context, b *box) bool {
	soon := time.After(time.Second)
	for {
		select {
		case e := <-s.events:
			if e.ID == b.ID() && e.Type == adapters.EventRemoved {
				return true
			}
		case <-soon:
			return false
		case <-ctx.Done():
			Fail("no event comes at all")
		}
	}
}

func (f *fixture) stream(ctx context.Context, since time.Time, only ...adapters.EventType) *stream {
	GinkgoHelper()
	ctx, stop := context.WithCancel(ctx)
	a, s := f.adapter(), &stream{make(chan adapters.Event)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for e, err := range a.(adapters.EventStreamer).Events(ctx, since, only...) {
			if err != nil {
				return
			}
			select {
			case s.events <- e:
			case <-ctx.Done():
			}
		}
	}()
	DeferCleanup(func(ctx SpecContext) {
		stop()
		eventually(ctx, ended).Should(BeClosed())
	}, NodeTimeout(10*time.Second))
	return s
}

// next is the next event of a sandbox.
func (s *stream) next(ctx context.Context, b *box) adapters.Event {
	GinkgoHelper()
	for {
		select {
		case e := <-s.events:
			if e.ID == b.ID() {
				return e
			}
		case <-ctx.Done():
			Fail("no event comes any more")
		}
	}
}

// expect fails unless this is a sandbox's next event.
func (s *stream) expect(ctx context.Context, b *box, fields gstruct.Fields) {
	GinkgoHelper()
	fields["Time"] = BeTemporally("~", time.Now(), time.Minute)
	var m types.GomegaMatcher = gstruct.MatchFields(gstruct.IgnoreExtras, fields)
	Expect(s.next(ctx, b)).To(m)
}

// skipTo waits for an event of a sandbox.
func (s *stream) skipTo(ctx context.Context, b *box, what adapters.EventType) {
	GinkgoHelper()
	for s.next(ctx, b).Type != what {
	}
}
