package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gstruct"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// onLimits marks what is to be tried where limits can be enforced, on whatever
// host the rest is tried.
var onLimits = Label("limits")

// describeLimits is about resources: enforced where the host can, refused where
// it cannot, never ignored.
func describeLimits(f *fixture) {
	Describe("limits", onLimits, func() {
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
		it("says of a sandbox which limits it has although nobody asked", func(ctx SpecContext) {
			info, err := f.create(ctx, nil).Info(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(info.Resources.PIDs > 0).To(Equal(f.has(PIDsLimit)))
			info.Resources.PIDs = 0
			Expect(info.Resources).To(BeZero())
		})
		describeMemoryLimit(f)
		describeProcessLimit(f)
		it("gives no more processor than was asked for", needs(CPULimit), SpecTimeout(time.Minute), func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Resources: quixand.Resources{CPUs: 0.25}})
			quota := b.sh(ctx, "cd /sys/fs/cgroup; cat cpu.max 2>/dev/null || echo $(cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us)")
			Expect(quota).To(Equal("25000 100000"))
			Expect(b.Info(ctx)).To(HaveField("Resources.CPUs", 0.25))
			Expect(b.busyShare(ctx)).To(BeNumerically("~", 0.25, 0.1))
		})
	})
}

func describeMemoryLimit(f *fixture) {
	limited := &quixand.Options{Resources: quixand.Resources{MemoryBytes: 128 << 20}}
	it("ends what takes more memory than was asked for, and lets the rest live", needs(MemoryLimit), SpecTimeout(time.Minute), func(ctx SpecContext) {
		b := f.create(ctx, limited)
		res, err := b.Run(ctx, b.probe(ctx), "memory", "512")
		Expect(err).NotTo(HaveOccurred())
		Expect(res.Signal).To(Equal(syscall.SIGKILL))
		Expect(b.sh(ctx, "echo alive")).To(Equal("alive"))
		Expect(b.Info(ctx)).To(HaveField("Resources.MemoryBytes", BeEquivalentTo(128<<20)))
	})
	it("tells that memory has run out, and for which command", needs(MemoryLimit, EventStreamer), SpecTimeout(time.Minute), func(ctx SpecContext) {
		events := f.events(ctx, time.Time{})
		b := f.create(ctx, limited)
		cmd := b.Command(b.probe(ctx), "memory", "512")
		Expect(cmd.Start(ctx)).To(Succeed())
		Expect(cmd.Wait()).NotTo(Succeed())
		events.skipTo(ctx, b, adapters.EventExec)
		events.expect(ctx, b, gstruct.Fields{
			"Type": Equal(adapters.EventMemory), "Reason": Equal(adapters.ReasonMemory), "PID": Equal(cmd.Process.PID),
		})
	})
	it("counts memory against the limit", needs(MemoryLimit), func(ctx SpecContext) {
		b := f.create(ctx, limited)
		before := b.metrics(ctx)
		Expect(before.MemoryTotal).To(BeEquivalentTo(128 << 20))
		cmd := b.Command(b.probe(ctx), "memory", "64", "stay")
		out := gbytes.NewBuffer()
		cmd.Stdout = out
		Expect(cmd.Start(ctx)).To(Succeed())
		eventually(ctx, out).Should(gbytes.Say("all 64"))
		Expect(b.metrics(ctx).MemoryUsed - before.MemoryUsed).To(BeNumerically("~", 64<<20, 16<<20))
	})
	// What is in /dev/shm is nobody's, so no command can be ended to get it back.
	it("tells of a sandbox that memory has run out for", needs(MemoryLimit, Historian, EventStreamer), SpecTimeout(time.Minute), func(ctx SpecContext) {
		const little = 32 << 20
		events := f.events(ctx, time.Time{})
		b := f.create(ctx, &quixand.Options{Resources: quixand.Resources{MemoryBytes: little}})
		events.skipTo(ctx, b, adapters.EventReady)
		_, err := b.Files.WriteFrom(ctx, "/dev/shm/much", bytes.NewReader(make([]byte, 2*little)), nil)
		Expect(err).To(HaveOccurred())
		limit := gstruct.Fields{"Limit": Equal(fmt.Sprintf("memory %d bytes", little)), "Detail": BeEmpty()}
		f.expectReason(ctx, b, adapters.ReasonMemory, limit)
		events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventMemory), "Reason": Equal(adapters.ReasonMemory)})
		events.expect(ctx, b, gstruct.Fields{"Type": Equal(adapters.EventDied), "Reason": Equal(adapters.ReasonMemory)})
	})
	it("tells an end for want of memory from one by a signal", needs(MemoryLimit, Historian), func(ctx SpecContext) {
		for _, ending := range f.harness.Endings {
			if ending.Reason != adapters.ReasonExited {
				continue
			}
			b := f.create(ctx, limited)
			Expect(ending.End(ctx, f.root, b.ID())).To(Succeed())
			f.expectReason(ctx, b, ending.Reason, gstruct.Fields{"Limit": BeEmpty()})
		}
	})
	it("does not end for what its commands have written", needs(MemoryLimit), SpecTimeout(2*time.Minute), func(ctx SpecContext) {
		b := f.create(ctx, &quixand.Options{Resources: quixand.Resources{MemoryBytes: 48 << 20}})
		for range 3 {
			left, leave := context.WithCancel(ctx)
			cmd := b.Command("sh", "-c", "head -c 32000000 /dev/zero; echo done >>written")
			cmd.Detach = true
			Expect(cmd.Start(left)).To(Succeed())
			leave()
		}
		eventually(ctx, func() string { return b.sh(ctx, "touch written; cat written") }).Should(Equal("done\ndone\ndone"))
	})
}

func describeProcessLimit(f *fixture) {
	it("gives no more processes than were asked for", needs(PIDsLimit, Python), SpecTimeout(time.Minute), func(ctx SpecContext) {
		const most = 60
		b := f.create(ctx, &quixand.Options{Resources: quixand.Resources{PIDs: most}})
		many := b.Command("python3", "-c", forkUntilRefused)
		input, err := many.StdinPipe()
		Expect(err).NotTo(HaveOccurred())
		out := gbytes.NewBuffer()
		many.Stdout = out
		group := b.pidsGroup(ctx)
		Expect(many.Start(ctx)).To(Succeed())
		eventually(ctx, out).Should(gbytes.Say(`refused\n`))
		// The agent's own threads are beside what was asked for.
		Expect(b.metrics(ctx).Processes).To(BeNumerically("~", most, 35))
		Expect(b.read(ctx, group+"/pids.current")).To(Equal(b.read(ctx, group+"/pids.max")))

		// Whoever wants more is told so, and the agent goes on.
		for range 20 {
			_, err = b.Run(ctx, "true")
			Expect(err).To(failAs(quixand.ErrExhausted))
		}
		b.write(ctx, "written", "at the limit")
		Expect(b.read(ctx, "written")).To(Equal("at the limit"))
		Expect(input.Close()).To(Succeed())
		Expect(many.Wait()).To(Succeed())
		Expect(b.sh(ctx, "echo alive")).To(Equal("alive"))
	})
	it("bounds processes where nobody asked", needs(PIDsLimit), func(ctx SpecContext) {
		b := f.create(ctx, nil)
		info, err := b.Info(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Resources.PIDs).To(BeNumerically(">", 0))
		Expect(b.number(ctx, "cat "+b.pidsGroup(ctx)+"/pids.max")).To(BeNumerically("~", info.Resources.PIDs, 100))
	})
}

// forkUntilRefused starts processes that live as long as its input is open.
const forkUntilRefused = `
import os
started = 0
try:
    while started < 1000:
        if os.fork() == 0:
            os.read(0, 1)
            os._exit(0)
        started += 1
except BlockingIOError:
    print("refused", flush=True)
os.read(0, 1)
`

// pidsGroup is where a sandbox sees its control group that counts processes: its
// only one with cgroup v2, and one of many with v1.
func (b *box) pidsGroup(ctx SpecContext) string {
	GinkgoHelper()
	return b.sh(ctx, "if [ -e /sys/fs/cgroup/pids.max ]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/pids; fi")
}

// busyShare is the part of a processor that a sandbox gets that wants all of one.
func (b *box) busyShare(ctx SpecContext) float64 {
	GinkgoHelper()
	const used = `cd /sys/fs/cgroup; if [ -e cpuacct ]; then expr $(cat cpuacct/cpuacct.usage) / 1000; else sed -n 's/^usage_usec //p' cpu.stat; fi; date +%s%6N; `
	text := b.sh(ctx, used+`timeout 3 sh -c 'while :; do :; done'; `+used)
	var from, to struct{ cpu, clock float64 }
	_, err := fmt.Fscan(strings.NewReader(text), &from.cpu, &from.clock, &to.cpu, &to.clock)
	Expect(err).NotTo(HaveOccurred())
	return (to.cpu - from.cpu) / (to.clock - from.clock)
}
