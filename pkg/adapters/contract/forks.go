package contract

import (
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// fork forks a sandbox; the fork ends with the case.
func (b *box) fork(ctx context.Context, opts *quixand.Options) *box {
	GinkgoHelper()
	sb, err := b.Fork(ctx, opts)
	Expect(err).NotTo(HaveOccurred())
	b.f.own(sb.ID())
	return &box{Sandbox: sb, f: b.f}
}

// describeForks is about sandboxes that start as copies of others.
func describeForks(f *fixture) {
	Describe("fork", needs(Snapshotter), func() {
		it("has its source's files and goes its own way", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Metadata: map[string]string{"owner": "me"}})
			b.write(ctx, "shared", "text")
			n := b.fork(ctx, nil)
			Expect(n.read(ctx, "shared")).To(Equal("text"))
			n.write(ctx, "shared", "mine")
			Expect(b.read(ctx, "shared")).To(Equal("text"))
			info, err := n.Info(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(info.Fork).To(Equal(b.ID()))
			Expect(info.Metadata).To(HaveKeyWithValue("owner", "me"))
			Expect(info.Image).To(Equal(f.harness.Image))
			Expect(f.client.Snapshots(ctx)).To(BeEmpty())
		})
		it("is bounded as its source is, unless told otherwise", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Network: quixand.NetworkNone, Timeout: 7 * time.Minute, Lifetime: time.Hour})
			Expect(b.fork(ctx, nil).Info(ctx)).To(SatisfyAll(
				HaveField("Network", quixand.NetworkNone), HaveField("IdleTimeout", 7*time.Minute), HaveField("Lifetime", time.Hour),
			))
			Expect(b.fork(ctx, &quixand.Options{Network: quixand.NetworkBridge, Lifetime: quixand.NoTimeout}).Info(ctx)).To(SatisfyAll(
				HaveField("Network", quixand.NetworkBridge), HaveField("Lifetime", quixand.NoTimeout),
			))
		})
		it("outlives its source, and forks again", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			b.write(ctx, "first", "1")
			n := b.fork(ctx, nil)
			Expect(b.Kill(ctx)).To(Succeed())
			n.write(ctx, "second", "2")
			third := n.fork(ctx, nil)
			Expect(n.Kill(ctx)).To(Succeed())
			Expect(third.sh(ctx, "cat first second")).To(Equal("12"))
		})
		it("takes options of its own", func(ctx SpecContext) {
			b, name := f.create(ctx, nil), newID()
			sb, err := f.another().Fork(ctx, b.ID()[:12], f.marked(&quixand.Options{
				Name: name, Timeout: time.Hour, Env: map[string]string{"NEW": "value"},
			}))
			Expect(err).NotTo(HaveOccurred())
			f.own(sb.ID())
			n := &box{Sandbox: sb, f: f}
			Expect(n.sh(ctx, "echo $NEW")).To(Equal("value"))
			Expect(n.Info(ctx)).To(HaveField("Name", name))
			Expect(f.status(ctx, n).IdleTimeout).To(Equal(time.Hour))
		})
		it("leaves its source running, or paused", needs(Pauser), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			b.fork(ctx, nil)
			Expect(b.Info(ctx)).To(HaveField("State", quixand.StateRunning))
			Expect(b.Pause(ctx)).To(Succeed())
			Expect(b.fork(ctx, nil).sh(ctx, "echo hi")).To(Equal("hi"))
			Expect(b.Info(ctx)).To(HaveField("State", quixand.StatePaused))
		})
		it("leaves nothing when it ends, however it ends", needs(Leftovers), func(ctx SpecContext) {
			root := filepath.Join(f.root, newID())
			c := f.clientAt(root, f.harness.New)
			DeferCleanup(c.Close)
			source, err := c.Create(ctx, f.marked(nil))
			Expect(err).NotTo(HaveOccurred())
			_, err = source.Fork(ctx, &quixand.Options{Timeout: time.Second})
			Expect(err).NotTo(HaveOccurred())
			killed, err := source.Fork(ctx, nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(source.Kill(ctx)).To(Succeed())
			Expect(killed.Kill(ctx)).To(Succeed())
			_, err = source.Fork(ctx, nil)
			Expect(err).To(failAs(quixand.ErrNotFound))
			eventually(ctx, func() ([]string, error) { return f.harness.Leftovers(ctx, root) }).Should(BeEmpty())
			_, err = c.List(ctx, nil) // which sweeps the directories
			Expect(err).NotTo(HaveOccurred())
		})
		it("is refused where it makes no sense", func(ctx SpecContext) {
			_, err := f.client.Fork(ctx, newID(), nil)
			Expect(err).To(failAs(quixand.ErrNotFound))
			_, err = f.create(ctx, nil).Fork(ctx, &quixand.Options{Template: f.harness.Image})
			Expect(err).To(failAs(quixand.ErrInvalid))
		})
	})
}
