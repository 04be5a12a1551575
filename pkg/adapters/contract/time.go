package contract

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeTime is about when a sandbox ends by itself, and when it does not.
func describeTime(f *fixture) {
	Describe("time", func() {
		it("ends a sandbox that is idle", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Timeout: time.Second})
			f.expectEnd(ctx, b)
		})
		it("ends a sandbox at the end of its lifetime although it is busy", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Lifetime: time.Second})
			cmd := b.Command("sleep", "1000")
			Expect(cmd.Start(ctx)).To(Succeed())
			Expect(cmd.Wait()).NotTo(Succeed())
			f.expectEnd(ctx, b)
		})
		it("does not take a running command for idleness", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Timeout: time.Second})
			Expect(b.sh(ctx, "sleep 2.5; echo done")).To(Equal("done"))
			f.expectEnd(ctx, b)
		})
		it("does not take a detached command for idleness", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Timeout: time.Second})
			cmd := b.Command("sh", "-c", "sleep 2.5; echo done")
			cmd.Detach, cmd.Tag = true, "busy"
			Expect(cmd.Start(ctx)).To(Succeed())
			p, err := f.connect(ctx, b).Attach(ctx, quixand.ProcessRef{Tag: "busy"}, nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(p.Wait(ctx)).To(HaveField("ExitCode", 0))
		})
		it("does not take an open connection for idleness", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Timeout: 2 * time.Second})
			port := b.serve(ctx, "127.0.0.1:0", "echo")
			conn, err := b.DialContext(ctx, "tcp", address(port))
			Expect(err).NotTo(HaveOccurred())
			defer conn.Close()
			Expect(b.sh(ctx, "sleep 3; echo done")).To(Equal("done"))
			Expect(echoes(conn, "still here")).To(Succeed())
		})
		it("begins anew with every call", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Timeout: time.Minute})
			before := f.status(ctx, b)
			Expect(before.Deadline).To(BeTemporally("~", time.Now().Add(time.Minute), 10*time.Second))
			b.sh(ctx, "sleep 0.2")
			after := f.status(ctx, b)
			Expect(after.Deadline).To(BeTemporally(">", before.Deadline))
			Expect(after.LastActive).To(BeTemporally(">", before.LastActive))
		})
		it("is not prolonged by looking at it", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Timeout: time.Minute})
			first := f.status(ctx, b)
			for range 10 {
				Expect(f.status(ctx, b).Deadline).To(BeTemporally("~", first.Deadline, 50*time.Millisecond))
			}
		})
		describeNewTimeouts(f)
		it("counts a lifetime from the creation", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Lifetime: time.Hour})
			status := f.status(ctx, b)
			Expect(status.Lifetime).To(BeTemporally("~", status.Created.Add(time.Hour), 5*time.Second))
			Expect(status.Created).To(BeTemporally("~", time.Now(), 10*time.Second))
		})
	})
}

// describeNewTimeouts is about timeouts that are not what they were at first.
func describeNewTimeouts(f *fixture) {
	it("can be given a new idle timeout", func(ctx SpecContext) {
		b := f.create(ctx, &quixand.Options{Timeout: 2 * time.Second})
		Expect(b.RefreshTimeout(ctx, time.Hour)).To(Succeed())
		status := f.status(ctx, b)
		Expect(status.IdleTimeout).To(Equal(time.Hour))
		Expect(status.Deadline).To(BeTemporally("~", time.Now().Add(time.Hour), 10*time.Second))
	})
	it("can be given a shorter idle timeout", func(ctx SpecContext) {
		b := f.create(ctx, nil)
		Expect(b.RefreshTimeout(ctx, 500*time.Millisecond)).To(Succeed())
		f.expectEnd(ctx, b)
	})
	it("starts the present timeout anew with zero", func(ctx SpecContext) {
		b := f.create(ctx, &quixand.Options{Timeout: time.Minute})
		before := f.status(ctx, b)
		b.sh(ctx, "sleep 0.2")
		Expect(b.RefreshTimeout(ctx, 0)).To(Succeed())
		after := f.status(ctx, b)
		Expect(after.IdleTimeout).To(Equal(time.Minute))
		Expect(after.Deadline).To(BeTemporally(">", before.Deadline))
	})
	it("can be taken away", func(ctx SpecContext) {
		b := f.create(ctx, &quixand.Options{Timeout: 2 * time.Second})
		Expect(b.RefreshTimeout(ctx, quixand.NoTimeout)).To(Succeed())
		status := f.status(ctx, b)
		Expect(status.IdleTimeout).To(Equal(quixand.NoTimeout))
		Expect(status.Deadline).To(BeZero())
	})
	it("can be left out from the start", func(ctx SpecContext) {
		b := f.create(ctx, &quixand.Options{Timeout: quixand.NoTimeout})
		status := f.status(ctx, b)
		Expect(status.IdleTimeout).To(Equal(quixand.NoTimeout))
		Expect(status.Deadline).To(BeZero())
	})
	it("ends a sandbox that is busy when the timeout is fixed", func(ctx SpecContext) {
		b := f.create(ctx, &quixand.Options{Timeout: time.Hour, FixedTimeout: true})
		busy := b.Command("sleep", "3600")
		Expect(busy.Start(ctx)).To(Succeed())
		before := f.status(ctx, b)
		Expect(before.FixedTimeout).To(BeTrue())
		b.sh(ctx, "sleep 0.1")
		Expect(f.status(ctx, b).Deadline).To(BeTemporally("~", before.Deadline, 50*time.Millisecond))
		Expect(b.RefreshTimeout(ctx, 500*time.Millisecond)).To(Succeed())
		f.expectEnd(ctx, b)
		Expect(busy.Wait()).NotTo(Succeed())
	})
	it("refuses a negative idle timeout", func(ctx SpecContext) {
		b := f.create(ctx, nil)
		Expect(b.RefreshTimeout(ctx, -time.Minute)).To(failAs(quixand.ErrInvalid))
	})
}

// expectEnd waits until the engine has forgotten the sandbox and the host keeps
// nothing for it.
func (f *fixture) expectEnd(ctx context.Context, b *box) {
	GinkgoHelper()
	eventually(ctx, func() error {
		_, err := f.client.Get(ctx, b.ID())
		return err
	}).WithTimeout(15 * time.Second).Should(failAs(quixand.ErrNotFound))
	Expect(b.Kill(ctx)).To(Succeed())
	Expect(f.directories()).NotTo(ContainElement(b.ID()))
}

func (f *fixture) status(ctx context.Context, b *box) *quixand.Status {
	GinkgoHelper()
	status, err := b.Status(ctx)
	Expect(err).NotTo(HaveOccurred())
	return status
}

// connect is how another program gets at the sandbox.
func (f *fixture) connect(ctx context.Context, b *box) *box {
	GinkgoHelper()
	sb, err := f.another().Connect(ctx, b.ID())
	Expect(err).NotTo(HaveOccurred())
	return &box{Sandbox: sb, f: f}
}
