package contract

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeLeases is about sandboxes that belong to their creator.
func describeLeases(f *fixture) {
	Describe("an ephemeral sandbox", func() {
		it("ends within ten seconds of its client, although it is busy", func(ctx SpecContext) {
			c := f.clientAt(f.root, f.harness.New)
			b := f.createBy(ctx, c, &quixand.Options{Ephemeral: true})
			b.running(ctx, "echo ready; exec sleep 1000")
			Expect(c.Close()).To(Succeed())
			closed := time.Now()
			f.expectEnd(ctx, b)
			Expect(time.Since(closed)).To(BeNumerically("<", 10*time.Second))
		})
		it("lives for as long as its client", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Ephemeral: true})
			Expect(f.client.Get(ctx, b.ID())).To(HaveField("Ephemeral", true))
			// Longer than an agent waits for its first holder.
			Expect(b.sh(ctx, "sleep 10; echo done")).To(Equal("done"))
		})
		it("goes idle although somebody holds it", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Ephemeral: true, Timeout: time.Second})
			f.expectEnd(ctx, b)
		})
		it("is of no consequence to those who connect to it", func(ctx SpecContext) {
			c := f.clientAt(f.root, f.harness.New)
			b := f.createBy(ctx, c, &quixand.Options{Ephemeral: true})
			f.connect(ctx, b)
			Expect(c.Close()).To(Succeed())
			f.expectEnd(ctx, b)
		})
	})
}

// createBy is create by a client that is not the fixture's.
func (f *fixture) createBy(ctx context.Context, c *quixand.Client, opts *quixand.Options) *box {
	GinkgoHelper()
	sb, err := c.Create(ctx, f.marked(opts))
	Expect(err).NotTo(HaveOccurred())
	f.own(sb.ID())
	return &box{Sandbox: sb, f: f}
}
