package contract

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeCancel is about commands that somebody no longer wants.
func describeCancel(f *fixture) {
	Describe("cancel", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)
		gone := func(ctx context.Context, group int) {
			GinkgoHelper()
			eventually(ctx, func() []process { return b.group(ctx, group) }).Should(BeEmpty())
		}

		it("ends the command's whole group with its context", func(ctx SpecContext) {
			running, stop := context.WithCancel(ctx)
			cmd, _ := b.running(running, "trap '' TERM; sleep 1000 & echo ready; while :; do sleep 1; done")
			stop()
			Expect(cmd.Wait()).To(MatchError(context.Canceled))
			gone(ctx, cmd.Process.PID)
		})
		it("ends it with the context's deadline", func(ctx SpecContext) {
			short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			sleep := nap()
			_, err := b.Shell(short, sleep+" & "+sleep)
			Expect(err).To(MatchError(context.DeadlineExceeded))
			Expect(err).To(MatchError(quixand.ErrTimeout))
			eventually(ctx, func() []process { return b.commands(ctx, sleep) }).Should(BeEmpty())
		})
		it("ends it with the command's own timeout, and keeps what it wrote", func(ctx SpecContext) {
			var out strings.Builder
			cmd := b.Command("sh", "-c", "echo before; sleep 1000 & sleep 1000")
			cmd.Timeout, cmd.Stdout = 300*time.Millisecond, &out
			Expect(cmd.Run(ctx)).To(failAs(quixand.ErrTimeout))
			Expect(out.String()).To(Equal("before\n"))
			gone(ctx, cmd.Process.PID)
		})
		it("does not end it before its timeout", func(ctx SpecContext) {
			cmd := b.Command("sh", "-c", "sleep 0.2; echo done")
			cmd.Timeout = 20 * time.Second
			Expect(cmd.Output(ctx)).To(BeEquivalentTo("done\n"))
		})
		it("starts nothing when the context was over before", func(ctx SpecContext) {
			over, cancel := context.WithCancel(ctx)
			cancel()
			dir := b.dir(ctx)
			Expect(b.Command("touch", dir+"/started").Run(over)).To(MatchError(context.Canceled))
			Expect(b.Files.Exists(ctx, dir+"/started")).To(BeFalse())
		})
		it("leaves a detached command alone", func(ctx SpecContext) {
			starting, stop := context.WithCancel(ctx)
			cmd := b.Command("sh", "-c", "sleep 0.5; echo done")
			cmd.Detach, cmd.Tag = true, "detached"
			Expect(cmd.Start(starting)).To(Succeed())
			stop()
			out := gbytes.NewBuffer()
			p, err := b.Attach(ctx, quixand.ProcessRef{Tag: "detached"}, &quixand.AttachOptions{Stdout: out})
			Expect(err).NotTo(HaveOccurred())
			Expect(p.Wait(ctx)).To(HaveField("ExitCode", 0))
			Expect(out).To(gbytes.Say("done\n"))
		})
		it("ends many at once and leaves none", SpecTimeout(time.Minute), func(ctx SpecContext) {
			running, stop := context.WithCancel(ctx)
			sleep, cmds := nap(), make([]*quixand.Cmd, 50)
			inParallel(len(cmds), func(i int) {
				cmds[i], _ = b.running(running, "echo ready; "+sleep+" & "+sleep)
			})
			stop()
			for _, cmd := range cmds {
				Expect(cmd.Wait()).To(MatchError(context.Canceled))
			}
			eventually(ctx, func() []process { return b.commands(ctx, sleep) }).Should(BeEmpty())
			eventually(ctx, b.Processes).Should(BeEmpty())
		})
		it("ends a call that waits for files", func(ctx SpecContext) {
			// A pipe that nobody writes to is a file that never answers.
			dir := b.dir(ctx)
			b.sh(ctx, "mkfifo "+dir+"/pipe")
			short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			_, err := b.Files.Read(short, dir+"/pipe")
			Expect(err).To(Or(MatchError(context.DeadlineExceeded), failAs(quixand.ErrInvalid)))
		})
	})
}
