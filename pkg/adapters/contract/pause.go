package contract

import (
	"context"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describePause is about sandboxes that stand still.
func describePause(f *fixture) {
	Describe("pause", needs(Pauser), func() {
		it("stops every process and lets all go on where they were", onLimits, func(ctx SpecContext) {
			b := f.create(ctx, nil)
			b.running(ctx, "echo ready; while :; do date +%s%N >>ticks; sleep 0.01; done")
			Expect(b.Pause(ctx)).To(Succeed())
			Expect(b.Info(ctx)).To(HaveField("State", quixand.StatePaused))
			begin := time.Now()
			time.Sleep(200 * time.Millisecond) // in which 20 ticks would come
			end := time.Now()
			Expect(b.Resume(ctx)).To(Succeed())
			Expect(b.Info(ctx)).To(HaveField("State", quixand.StateRunning))
			eventually(ctx, func() []time.Time { return b.ticks(ctx) }).Should(ContainElement(BeTemporally(">", end)))
			Expect(b.ticks(ctx)).To(HaveEach(Or(BeTemporally("<", begin), BeTemporally(">", end))))
		})
		it("keeps a call waiting that then goes on", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			Expect(b.Pause(ctx)).To(Succeed())
			out := make(chan string, 1)
			go func() {
				defer GinkgoRecover()
				out <- b.sh(ctx, "echo late")
			}()
			Consistently(ctx, out).WithTimeout(300 * time.Millisecond).ShouldNot(Receive())
			Expect(b.Resume(ctx)).To(Succeed())
			eventually(ctx, out).Should(Receive(Equal("late")))
		})
		it("is refused to who is paused, and its end to who is not", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			Expect(b.Resume(ctx)).To(failAs(quixand.ErrConflict))
			Expect(b.Pause(ctx)).To(Succeed())
			Expect(b.Pause(ctx)).To(failAs(quixand.ErrConflict))
			Expect(b.Resume(ctx)).To(Succeed())
			Expect(b.Resume(ctx)).To(failAs(quixand.ErrConflict))
		})
		it("is told at once to who connects", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			Expect(b.Pause(ctx)).To(Succeed())
			begin := time.Now()
			_, err := f.another().Connect(ctx, b.ID())
			Expect(err).To(failAs(quixand.ErrConflict))
			Expect(time.Since(begin)).To(BeNumerically("<", 5*time.Second))
		})
		it("works by id from another program", func(ctx SpecContext) {
			b, other := f.create(ctx, nil), f.another()
			Expect(other.Pause(ctx, b.ID()[:12])).To(Succeed())
			Expect(other.List(ctx, &quixand.ListOptions{States: []quixand.State{quixand.StatePaused}})).
				To(ContainElement(HaveField("ID", b.ID())))
			again, err := other.Resume(ctx, b.ID()[:12])
			Expect(err).NotTo(HaveOccurred())
			Expect(again.Run(ctx, "true")).To(HaveField("ExitCode", 0))
			Expect(other.Pause(ctx, newID())).To(failAs(quixand.ErrNotFound))
			_, err = other.Resume(ctx, newID())
			Expect(err).To(failAs(quixand.ErrNotFound))
		})
		it("does not end at the thaw what slept longer than its timeout", func(ctx SpecContext) {
			for _, beyond := range []time.Duration{100 * time.Millisecond, 2 * time.Second} {
				b := f.create(ctx, &quixand.Options{Timeout: time.Second})
				pausedFor(ctx, b, time.Second+beyond)
				status := f.status(ctx, b)
				Expect(status.Deadline).To(BeTemporally("~", time.Now().Add(time.Second), 500*time.Millisecond))
				f.expectEnd(ctx, b)
			}
		})
		it("does not stop a lifetime", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Lifetime: time.Second})
			Expect(b.Pause(ctx)).To(Succeed())
			time.Sleep(1500 * time.Millisecond)
			_ = b.Resume(ctx) // which may be the last that it hears
			f.expectEnd(ctx, b)
		})
		it("does not keep a sandbox from being killed", onLimits, func(ctx SpecContext) {
			b := f.create(ctx, nil)
			marks := f.marks(ctx, b)
			b.running(ctx, "sleep 1000 & echo ready; sleep 1000")
			Expect(b.Pause(ctx)).To(Succeed())
			begin := time.Now()
			Expect(b.Kill(ctx)).To(Succeed())
			Expect(time.Since(begin)).To(BeNumerically("<", 5*time.Second))
			_, err := f.client.Get(ctx, b.ID())
			Expect(err).To(failAs(quixand.ErrNotFound))
			if f.has(SameKernel) {
				eventually(ctx, func() []string { return hostProcesses(marks) }).Should(BeEmpty())
			}
		})
	})
}

// ticks are the times, in nanoseconds, that a command in the sandbox has put in a file.
func (b *box) ticks(ctx context.Context) []time.Time {
	GinkgoHelper()
	var times []time.Time
	for _, line := range strings.Fields(b.sh(ctx, "cat ticks")) {
		ns, err := strconv.ParseInt(line, 10, 64)
		Expect(err).NotTo(HaveOccurred())
		times = append(times, time.Unix(0, ns))
	}
	return times
}

func pausedFor(ctx context.Context, b *box, d time.Duration) {
	GinkgoHelper()
	Expect(b.Pause(ctx)).To(Succeed())
	time.Sleep(d)
	Expect(b.Resume(ctx)).To(Succeed())
}
