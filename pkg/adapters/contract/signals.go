package contract

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeSignals is about signals, process groups, and what becomes of
// processes whose parents are gone.
func describeSignals(f *fixture) {
	Describe("processes", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		for _, sig := range []syscall.Signal{
			syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
		} {
			it(fmt.Sprintf("receive signal %d (%v)", int(sig), sig), func(ctx SpecContext) {
				cmd, out := b.running(ctx, fmt.Sprintf("trap 'echo caught; exit 9' %d; echo ready; while :; do sleep 0.01; done", int(sig)))
				Expect(cmd.Process.Signal(ctx, sig)).To(Succeed())
				eventually(ctx, out).Should(gbytes.Say("caught"))
				Expect(cmd.Wait()).To(MatchError("exit status 9"))
			})
		}
		it("stop and go on", func(ctx SpecContext) {
			// One process: a shell that is stopped with the child that it is about
			// to start waits for it in another state.
			cmd, _ := b.running(ctx, "echo ready; exec sleep 1000")
			Expect(cmd.Process.Signal(ctx, syscall.SIGSTOP)).To(Succeed())
			eventually(ctx, func() string { return b.process(ctx, cmd.Process.PID).state }).Should(Equal("T"))
			Expect(cmd.Process.Signal(ctx, syscall.SIGCONT)).To(Succeed())
			eventually(ctx, func() string { return b.process(ctx, cmd.Process.PID).state }).ShouldNot(Equal("T"))
			Expect(cmd.Process.Kill(ctx)).To(Succeed())
			Expect(cmd.Wait()).To(MatchError("killed by signal: killed"))
		})
		it("are killed with their whole group", func(ctx SpecContext) {
			cmd, _ := b.running(ctx, "sleep 1000 & (sleep 1000 & sleep 1000) & sh -c 'trap \"\" TERM; sleep 1000' & echo ready; wait")
			Expect(cmd.Process.Kill(ctx)).To(Succeed())
			Expect(cmd.Wait()).NotTo(Succeed())
			eventually(ctx, func() []process { return b.group(ctx, cmd.Process.PID) }).Should(BeEmpty())
		})
		it("are signalled with their whole group", func(ctx SpecContext) {
			cmd, out := b.running(ctx, "sh -c 'trap \"echo child; exit\" USR1; echo ready; while :; do sleep 0.01; done' & trap 'wait; exit 3' USR1; wait")
			Expect(cmd.Process.Signal(ctx, syscall.SIGUSR1)).To(Succeed())
			eventually(ctx, out).Should(gbytes.Say("child"))
			Expect(cmd.Wait()).To(MatchError("exit status 3"))
		})
		it("cannot be signalled when they have ended", func(ctx SpecContext) {
			cmd := b.Command("true")
			Expect(cmd.Run(ctx)).To(Succeed())
			Expect(cmd.Process.Signal(ctx, syscall.SIGTERM)).To(failAs(quixand.ErrNotFound))
		})
		it("refuse signals that are none", func(ctx SpecContext) {
			cmd, _ := b.running(ctx, "echo ready; exec sleep 1000")
			for _, sig := range []syscall.Signal{0, -1, 65, 1000} {
				Expect(cmd.Process.Signal(ctx, sig)).To(failAs(quixand.ErrInvalid), "%d", int(sig))
			}
			Expect(cmd.Process.Kill(ctx)).To(Succeed())
			Expect(cmd.Wait()).NotTo(Succeed())
		})
		it("outlive their parents as daemons", func(ctx SpecContext) {
			sleep := nap()
			b.sh(ctx, "setsid sh -c 'exec "+sleep+"' </dev/null >/dev/null 2>&1 &")
			daemon := func() []process { return b.commands(ctx, sleep) }
			eventually(ctx, daemon).ShouldNot(BeEmpty())
			for _, p := range daemon() {
				b.sh(ctx, fmt.Sprintf("kill %d", p.pid))
			}
			eventually(ctx, daemon).Should(BeEmpty())
		})
		it("are reaped as orphans", needs(Isolation), SpecTimeout(time.Minute), func(ctx SpecContext) {
			inParallel(20, func(int) {
				b.sh(ctx, "for i in 1 2 3 4 5; do (setsid sh -c 'exit 3' >/dev/null 2>&1 &) ; done")
			})
			eventually(ctx, func() []process { return b.zombies(ctx) }).Should(BeEmpty())
			eventually(ctx, func() []process { return b.commands(ctx, "sh -c exit 3") }).Should(BeEmpty())
		})
	})
}

// process is one line of the probe's list.
type process struct {
	pid, parent, group int
	state, command     string
}

// processes lists those that run in the sandbox and are as keep wants them.
func (b *box) processes(ctx context.Context, keep func(process) bool) []process {
	GinkgoHelper()
	var kept []process
	for line := range strings.Lines(b.probed(ctx, "ps")) {
		var p process
		_, err := fmt.Sscan(line, &p.pid, &p.parent, &p.group, &p.state)
		Expect(err).NotTo(HaveOccurred(), line)
		p.command = strings.TrimSpace(strings.SplitN(line, " ", 5)[4])
		if keep(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

func (b *box) group(ctx context.Context, id int) []process {
	GinkgoHelper()
	return b.processes(ctx, func(p process) bool { return p.group == id })
}

func (b *box) commands(ctx context.Context, command string) []process {
	GinkgoHelper()
	return b.processes(ctx, func(p process) bool { return p.command == command })
}

func (b *box) zombies(ctx context.Context) []process {
	GinkgoHelper()
	return b.processes(ctx, func(p process) bool { return p.state == "Z" })
}

// process is the one with this id, or the zero value.
func (b *box) process(ctx context.Context, pid int) process {
	GinkgoHelper()
	found := b.processes(ctx, func(p process) bool { return p.pid == pid })
	if len(found) == 0 {
		return process{}
	}
	return found[0]
}

// nap is a command that sleeps for long and that no other process has.
func nap() string { return fmt.Sprintf("sleep %d", 1_000_000+fresh.Add(1)) }
