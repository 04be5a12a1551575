package contract

import (
	"errors"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeLimits is about resources: enforced where the host can, refused where
// it cannot, never ignored.
func describeLimits(f *fixture) {
	Describe("limits", func() {
		it("refuses what the host cannot enforce, and says why", func(ctx SpecContext) {
			for limit, asked := range map[Capability]quixand.Resources{
				MemoryLimit: {MemoryBytes: 256 << 20}, CPULimit: {CPUs: 1}, PIDsLimit: {PIDs: 100},
			} {
				if f.has(limit) {
					continue
				}
				_, err := f.tryCreate(ctx, &quixand.Options{Resources: asked})
				Expect(err).To(failAs(quixand.ErrUnsupported), string(limit))
				var e *quixand.Error
				Expect(errors.As(err, &e)).To(BeTrue())
				Expect(e.Hint).NotTo(BeEmpty(), string(limit))
			}
		})
		it("ends what takes more memory than was asked for", needs(MemoryLimit), SpecTimeout(time.Minute), func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Resources: quixand.Resources{MemoryBytes: 128 << 20}})
			res, err := b.Run(ctx, b.probe(ctx), "memory", "512")
			Expect(err).NotTo(HaveOccurred())
			Expect(res.Signal).To(Equal(syscall.SIGKILL))
			Expect(b.sh(ctx, "echo alive")).To(Equal("alive"))
			Expect(b.Info(ctx)).To(HaveField("Resources.MemoryBytes", BeEquivalentTo(128<<20)))
		})
		it("gives no more processes than were asked for", needs(PIDsLimit), func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Resources: quixand.Resources{PIDs: 60}})
			res, err := b.Shell(ctx, "i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done; echo all; kill $(jobs -p)")
			Expect(err).NotTo(HaveOccurred())
			Expect(res.Text()).NotTo(ContainSubstring("all"))
			Expect(b.sh(ctx, "echo alive")).To(Equal("alive"))
		})
		it("gives no more processor than was asked for", needs(CPULimit), func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Resources: quixand.Resources{CPUs: 0.5}})
			Expect(b.sh(ctx, "cat /sys/fs/cgroup/cpu.max")).To(Equal("50000 100000"))
		})
		it("bounds processes where nobody asked", needs(PIDsLimit), func(ctx SpecContext) {
			Expect(f.create(ctx, nil).sh(ctx, "cat /sys/fs/cgroup/pids.max")).To(MatchRegexp(`^\d+$`))
		})
	})
}
