package contract

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/adapters"
)

func describeEvents(f *fixture) {
	it("tells the life of a sandbox as events, whoever causes them", needs(EventStreamer), func(ctx SpecContext) {
		events := f.events(ctx)
		a, spec := f.adapter(), f.spec()
		_, err := a.Create(ctx, spec)
		Expect(err).NotTo(HaveOccurred())
		f.own(spec.ID)
		Expect(a.Kill(ctx, spec.ID, asked)).To(Succeed())
		for _, want := range []adapters.EventType{
			adapters.EventCreated, adapters.EventStarted, adapters.EventDied, adapters.EventRemoved,
		} {
			eventually(ctx, events).Should(Receive(SatisfyAll(
				HaveField("ID", spec.ID), HaveField("Type", want), HaveField("Time", BeTemporally("~", time.Now(), time.Minute)),
			)))
		}
	})
}

// events streams the events of an adapter of its own until the case ends. An engine
// tells what happens from some moment on and does not say when that is, so
// sandboxes come and go until the first one is told.
func (f *fixture) events(ctx context.Context) <-chan adapters.Event {
	GinkgoHelper()
	ctx, stop := context.WithCancel(ctx)
	a, events := f.adapter(), make(chan adapters.Event, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for e, err := range a.(adapters.EventStreamer).Events(ctx) {
			if err != nil {
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
			}
		}
	}()
	DeferCleanup(func(ctx SpecContext) {
		stop()
		eventually(ctx, ended).Should(BeClosed())
	}, NodeTimeout(10*time.Second))
	eventually(ctx, func(g Gomega) {
		b, err := f.tryCreate(ctx, nil)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(b.Kill(ctx)).To(Succeed())
		g.Eventually(ctx, events).WithTimeout(time.Second).Should(Receive(SatisfyAll(
			HaveField("ID", b.ID()), HaveField("Type", adapters.EventRemoved),
		)))
	}).Should(Succeed())
	return events
}
