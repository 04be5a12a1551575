package contract

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	"github.com/onsi/gomega/types"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// describeDeath is about what is told of a sandbox that is no more.
func describeDeath(f *fixture) {
	Describe("death", needs(Historian), func() {
		it("is told of a sandbox that was killed, with by whom and its last words", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			b.sh(ctx, "echo its last words")
			before := time.Now()
			Expect(f.another().Kill(ctx, b.ID())).To(Succeed())
			f.expectReason(ctx, b, adapters.ReasonKilled, gstruct.Fields{
				"By":     ContainSubstring(fmt.Sprintf("pid %d", os.Getpid())),
				"Output": HaveSuffix("its last words\n"),
				"Time":   BeTemporally("~", before, 10*time.Second),
			})
		})
		it("is told of a sandbox that was idle", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Timeout: time.Second})
			b.sh(ctx, "echo its last words")
			f.expectReason(ctx, b, adapters.ReasonIdle, gstruct.Fields{
				"Detail": Equal("idle for 1s"), "ExitCode": gstruct.PointTo(Equal(124)), "Output": HaveSuffix("its last words\n"),
			})
		})
		it("is told of a sandbox whose lifetime was over", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Lifetime: time.Second})
			cmd := b.Command("sh", "-c", "echo its last words; sleep 1000")
			Expect(cmd.Start(ctx)).To(Succeed())
			Expect(cmd.Wait()).NotTo(Succeed())
			f.expectReason(ctx, b, adapters.ReasonLifetime, gstruct.Fields{"Detail": ContainSubstring("after 1s"), "Output": HaveSuffix("its last words\n")})
		})
		it("is told of a sandbox whose creator is gone", func(ctx SpecContext) {
			creator := f.clientAt(f.root, f.harness.New)
			b := f.createBy(ctx, creator, &quixand.Options{Ephemeral: true})
			Expect(creator.Close()).To(Succeed())
			f.expectReason(ctx, b, adapters.ReasonAbandoned, gstruct.Fields{"Detail": Not(BeEmpty())})
		})
		for _, ending := range f.harness.Endings {
			it("is told of a sandbox that was ended by "+ending.Name, func(ctx SpecContext) {
				b := f.create(ctx, nil)
				Expect(ending.End(ctx, f.root, b.ID())).To(Succeed())
				f.expectReason(ctx, b, ending.Reason, gstruct.Fields{})
			})
		}
		it("ends a wait that began before", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			waited := make(chan *quixand.Ended, 1)
			go func() {
				defer GinkgoRecover()
				e, err := f.another().Wait(ctx, b.ID()[:12])
				Expect(err).NotTo(HaveOccurred())
				waited <- e
			}()
			Consistently(waited).WithTimeout(300 * time.Millisecond).ShouldNot(Receive())
			Expect(b.Kill(ctx)).To(Succeed())
			Eventually(ctx, waited).Should(Receive(HaveField("Reason", adapters.ReasonKilled)))
		})
		it("is not told of a sandbox that lives, nor of one that never was", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			_, err := f.client.Ended(ctx, b.ID())
			Expect(err).To(failAs(quixand.ErrNotFound))
			_, err = f.client.Ended(ctx, "neverwas")
			Expect(err).To(failAs(quixand.ErrNotFound))
			_, err = f.client.Wait(ctx, "neverwas")
			Expect(err).To(failAs(quixand.ErrNotFound))
			Expect(f.client.AllEnded(ctx)).NotTo(ContainElement(HaveField("ID", b.ID())))
		})
		it("is waited for no longer than the caller wants", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			_, err := b.Wait(short)
			Expect(err).To(MatchError(context.DeadlineExceeded))
			Expect(b.sh(ctx, "echo alive")).To(Equal("alive"))
		})
	})
}

// expectReason waits for a sandbox's end, and for every caller to be told why.
func (f *fixture) expectReason(ctx SpecContext, b *box, reason adapters.Reason, more gstruct.Fields) {
	GinkgoHelper()
	fields := gstruct.Fields{
		"ID": Equal(b.ID()), "Adapter": Equal(f.name), "Root": Equal(f.root), "Reason": Equal(reason),
		"Image":    Equal(f.harness.Image),
		"Metadata": HaveKeyWithValue(runKey, f.run),
		"Time":     BeTemporally("~", time.Now(), 20*time.Second),
		"Created":  BeTemporally("~", time.Now(), time.Minute),
	}
	for name, m := range more {
		fields[name] = m
	}
	told := gstruct.PointTo(gstruct.MatchFields(gstruct.IgnoreExtras, fields))
	Expect(f.another().Wait(ctx, b.ID())).To(told)
	Expect(f.client.Ended(ctx, b.ID()[:12])).To(told)
	Expect(f.client.AllEnded(ctx)).To(ContainElement(told))
	eventually(ctx, func() error { _, err := b.Run(ctx, "true"); return err }).Should(tells(told))
	_, err := f.another().Connect(ctx, b.ID())
	Expect(err).To(tells(told))
	// Until the engine has cleared away what is dead, there is something to kill.
	another := f.another()
	eventually(ctx, func() error { return another.Kill(ctx, b.ID()) }).Should(tells(told))
}

// tells matches an error that has what is remembered of a sandbox.
func tells(told types.GomegaMatcher) types.GomegaMatcher {
	return SatisfyAll(failAs(quixand.ErrNotFound), WithTransform(func(err error) *quixand.Ended {
		e, _ := errors.AsType[*quixand.Ended](err)
		return e
	}, told), WithTransform(error.Error, Not(ContainSubstring("\n"))), WithTransform(func(err error) bool {
		return strings.Contains(err.Error(), "ended")
	}, BeTrue()))
}
