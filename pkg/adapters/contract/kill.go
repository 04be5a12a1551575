package contract

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeKill is about the end that a caller asks for.
func describeKill(f *fixture) {
	Describe("kill", func() {
		it("makes the sandbox unknown", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			Expect(b.Kill(ctx)).To(Succeed())
			_, err := f.client.Get(ctx, b.ID())
			Expect(err).To(failAs(quixand.ErrNotFound))
			_, err = f.client.Connect(ctx, b.ID())
			Expect(err).To(failAs(quixand.ErrNotFound))
			Expect(f.client.List(ctx, nil)).NotTo(ContainElement(HaveField("ID", b.ID())))
			Expect(f.directories()).NotTo(ContainElement(b.ID()))
		})
		it("is harmless when it is repeated", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			Expect(b.Kill(ctx)).To(Succeed())
			Expect(b.Kill(ctx)).To(Succeed())
			Expect(f.client.Kill(ctx, b.ID())).To(failAs(quixand.ErrNotFound))
		})
		it("can be done by many at once", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			inParallel(8, func(int) { Expect(b.Kill(ctx)).To(Succeed()) })
		})
		it("gives no grace to code that ignores signals", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			cmd, _ := b.running(ctx, "trap '' TERM INT HUP; echo ready; while :; do sleep 1; done")
			before := time.Now()
			Expect(b.Kill(ctx)).To(Succeed())
			Expect(time.Since(before)).To(BeNumerically("<", 5*time.Second))
			Expect(cmd.Wait()).NotTo(Succeed())
		})
		it("ends what is going on with an error", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			cmd, _ := b.running(ctx, "echo ready; exec sleep 1000")
			Expect(f.another().Kill(ctx, b.ID())).To(Succeed())
			Expect(cmd.Wait()).To(Or(failAs(quixand.ErrNotFound), failAs(quixand.ErrUnavailable)))
		})
		it("turns every later call into a typed error", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			Expect(b.Kill(ctx)).To(Succeed())
			for call, do := range laterCalls(b) {
				err := do(ctx)
				Expect(err).To(Or(failAs(quixand.ErrNotFound), failAs(quixand.ErrUnavailable)), call)
				var e *quixand.Error
				Expect(errors.As(err, &e)).To(BeTrue(), call)
				Expect(e.ID).To(Equal(b.ID()), call)
				Expect(e.Op).NotTo(BeEmpty(), call)
			}
		})
		it("leaves no process on the host", needs(SameKernel, Isolation), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			b.running(ctx, "setsid sleep 1000 & sleep 1000 & echo ready; sleep 1000")
			marks := f.marks(ctx, b)
			Expect(hostProcesses(marks)).NotTo(BeEmpty())
			Expect(b.Kill(ctx)).To(Succeed())
			eventually(ctx, func() []string { return hostProcesses(marks) }).Should(BeEmpty())
		})
	})
}

// laterCalls are ways to notice that a sandbox is gone.
func laterCalls(b *box) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Run":     func(ctx context.Context) error { _, err := b.Run(ctx, "true"); return err },
		"RunCode": func(ctx context.Context) error { _, err := b.RunCode(ctx, "1"); return err },
		"Start":   func(ctx context.Context) error { return b.Command("true").Start(ctx) },
		"PTY":     func(ctx context.Context) error { _, err := b.PTY(ctx, nil); return err },
		"Info":    func(ctx context.Context) error { _, err := b.Info(ctx); return err },
		"Status":  func(ctx context.Context) error { _, err := b.Status(ctx); return err },
		"Metrics": func(ctx context.Context) error { _, err := b.Metrics(ctx); return err },
		"Refresh": func(ctx context.Context) error { return b.RefreshTimeout(ctx, time.Minute) },
		"Read":    func(ctx context.Context) error { _, err := b.Files.Read(ctx, "x"); return err },
		"Write":   func(ctx context.Context) error { _, err := b.Files.Write(ctx, "x", nil); return err },
		"List":    func(ctx context.Context) error { _, err := b.Files.List(ctx, ".", 1); return err },
		"Mkdir":   func(ctx context.Context) error { return b.Files.Mkdir(ctx, "x") },
		"Dial":    func(ctx context.Context) error { _, err := b.DialContext(ctx, "tcp", ":80"); return err },
	}
}
