package contract

import (
	"context"
	"runtime"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeMetrics is about what a sandbox uses: the sandbox, and not the host that
// it runs on.
func describeMetrics(f *fixture) {
	Describe("metrics", onLimits, func() {
		it("are plausible", func(ctx SpecContext) {
			m := f.create(ctx, nil).metrics(ctx)
			Expect(m.Time).To(BeTemporally("~", time.Now(), time.Minute))
			Expect(m.CPUCount).To(SatisfyAll(BeNumerically(">=", 1), BeNumerically("<=", runtime.NumCPU())))
			Expect(m.MemoryUsed).To(SatisfyAll(BeNumerically(">", 0), BeNumerically("<", m.MemoryTotal)))
			Expect(m.DiskTotal).To(BeNumerically(">", m.DiskUsed))
			Expect(m.Processes).To(BeNumerically(">=", 1))
		})
		it("count the sandbox's processes alone", needs(Isolation), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			before := b.metrics(ctx).Processes
			Expect(before).To(BeNumerically("<", 5))
			b.running(ctx, "sleep 1000 & sleep 1000 & echo ready; sleep 1000")
			Expect(b.metrics(ctx).Processes).To(BeNumerically("~", before+4, 1)) // the shell may become its last command
		})
		it("count the sandbox's work alone", needs(Isolation), func(ctx SpecContext) {
			idle, busy := f.create(ctx, nil), f.create(ctx, nil)
			cmd, _ := busy.running(ctx, "echo ready; while :; do :; done")
			DeferCleanup(busy.Kill)
			idle.metrics(ctx)
			busy.metrics(ctx)
			time.Sleep(time.Second) // over which the next ones are taken
			Expect(busy.metrics(ctx).CPUPercent).To(BeNumerically(">", 10))
			Expect(idle.metrics(ctx).CPUPercent).To(BeNumerically("<", 10))
			Expect(cmd.Process).NotTo(BeNil())
		})
		it("count the sandbox's memory alone", needs(Isolation, Python), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			before := b.metrics(ctx).MemoryUsed
			Expect(before).To(BeNumerically("<", 100<<20))
			cmd := b.Command("python3", "-c", "import time; x = b'x' * (100 << 20); print('ready', flush=True); time.sleep(1000)")
			out, err := cmd.StdoutPipe()
			Expect(err).NotTo(HaveOccurred())
			Expect(cmd.Start(ctx)).To(Succeed())
			_, err = out.Read(make([]byte, 6))
			Expect(err).NotTo(HaveOccurred())
			Expect(b.metrics(ctx).MemoryUsed - before).To(BeNumerically("~", 110<<20, 20<<20))
		})
		it("count what the sandbox has written", needs(StatsReader), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			before := b.metrics(ctx).DiskUsed
			Expect(before).To(SatisfyAll(BeNumerically(">=", 0), BeNumerically("<", 1<<20)))
			b.sh(ctx, "head -c 20000000 /dev/urandom >noise")
			Expect(b.metrics(ctx).DiskUsed - before).To(BeNumerically("~", 20_000_000, 1<<20))
			b.sh(ctx, "rm noise")
			Expect(b.metrics(ctx).DiskUsed).To(BeNumerically("<", before+1<<20))
		})
		it("come as a stream, which is no activity", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			first := f.status(ctx, b)
			seen := 0
			for m, err := range b.WatchMetrics(ctx, 100*time.Millisecond) {
				Expect(err).NotTo(HaveOccurred())
				Expect(m.MemoryUsed).To(BeNumerically(">", 0))
				if seen++; seen == 5 {
					break
				}
			}
			Expect(seen).To(Equal(5))
			Expect(f.status(ctx, b).Deadline).To(BeTemporally("~", first.Deadline, 50*time.Millisecond))
		})
		it("end with the sandbox, or with the context", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			var last error
			for _, last = range b.WatchMetrics(ctx, 100*time.Millisecond) {
				Expect(b.Kill(ctx)).To(Succeed())
			}
			Expect(last).To(failAs(quixand.ErrNotFound))
			short, cancel := context.WithCancel(ctx)
			defer cancel()
			for _, last = range f.create(ctx, nil).WatchMetrics(short, time.Hour) {
				Expect(last).NotTo(HaveOccurred())
				cancel()
			}
			for _, last = range b.WatchMetrics(ctx, 0) {
				Expect(last).To(failAs(quixand.ErrInvalid))
			}
		})
		it("of a paused sandbox are refused at once", needs(Pauser), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			Expect(b.Pause(ctx)).To(Succeed())
			begin := time.Now()
			_, err := b.Metrics(ctx)
			Expect(err).To(failAs(quixand.ErrConflict))
			Expect(time.Since(begin)).To(BeNumerically("<", 5*time.Second))
		})
	})
}

func (b *box) metrics(ctx context.Context) *quixand.Metrics {
	GinkgoHelper()
	m, err := b.Metrics(ctx)
	Expect(err).NotTo(HaveOccurred())
	return m
}
