package contract

import (
	"errors"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeGivenNames is about the names that people give to sandboxes.
func describeGivenNames(f *fixture) {
	Describe("name", needs(Renamer), func() {
		it("is as good as an id, also to other programs", func(ctx SpecContext) {
			name := "a-" + newID()
			b := f.create(ctx, &quixand.Options{Name: name})
			Expect(b.Info(ctx)).To(HaveField("Name", name))
			Expect(f.another().List(ctx, nil)).To(ContainElement(SatisfyAll(HaveField("ID", b.ID()), HaveField("Name", name))))
			Expect(f.another().Get(ctx, name)).To(HaveField("ID", b.ID()))
			again, err := f.another().Connect(ctx, name)
			Expect(err).NotTo(HaveOccurred())
			Expect(again.ID()).To(Equal(b.ID()))
			Expect(f.another().Kill(ctx, name)).To(Succeed())
			_, err = f.client.Get(ctx, name)
			Expect(err).To(failAs(quixand.ErrNotFound))
		})
		it("needs no engine to be found", needs(Unreachable, Resolver), func(ctx SpecContext) {
			name := newID()
			b := f.create(ctx, &quixand.Options{Name: name})
			alone := f.clientAt(f.root, f.harness.Unreachable)
			DeferCleanup(alone.Close)
			Expect(alone.Connect(ctx, name)).To(HaveField("ID()", b.ID()))
		})
		it("can be given, changed and taken away while commands run", func(ctx SpecContext) {
			b, first, second := f.create(ctx, nil), newID(), newID()
			b.running(ctx, "echo ready; while :; do date +%s%N >>ticks; sleep 0.01; done")
			for _, name := range []string{first, first, second} {
				Expect(b.Rename(ctx, name)).To(Succeed())
				Expect(f.another().Connect(ctx, name)).To(HaveField("ID()", b.ID()))
			}
			_, err := f.another().Get(ctx, first)
			Expect(err).To(failAs(quixand.ErrNotFound))
			Expect(f.another().Rename(ctx, second, "")).To(Succeed())
			Expect(b.Info(ctx)).To(HaveField("Name", ""))
			_, err = f.another().Get(ctx, second)
			Expect(err).To(failAs(quixand.ErrNotFound))
			before := len(b.ticks(ctx))
			eventually(ctx, func() int { return len(b.ticks(ctx)) }).Should(BeNumerically(">", before))
		})
		it("is one sandbox's at a time", func(ctx SpecContext) {
			name := newID()
			b, other := f.create(ctx, &quixand.Options{Name: name}), f.create(ctx, nil)
			_, err := f.tryCreate(ctx, &quixand.Options{Name: name})
			Expect(err).To(failAs(quixand.ErrExists))
			Expect(other.Rename(ctx, name)).To(failAs(quixand.ErrExists))
			Expect(other.Rename(ctx, b.ID())).To(failAs(quixand.ErrExists))
			Expect(other.Info(ctx)).To(HaveField("Name", ""))
			Expect(f.client.Get(ctx, name)).To(HaveField("ID", b.ID()))
			Expect(b.Kill(ctx)).To(Succeed())
			Expect(other.Rename(ctx, name)).To(Succeed())
			Expect(f.another().Get(ctx, name)).To(HaveField("ID", other.ID()))
		})
		it("goes to one of many who want it at once", func(ctx SpecContext) {
			name, errs := newID(), make([]error, 4)
			inParallel(len(errs), func(i int) {
				_, errs[i] = f.tryCreate(ctx, &quixand.Options{Name: name})
			})
			refused := 0
			for _, err := range errs {
				if errors.Is(err, quixand.ErrExists) {
					refused++
				} else {
					Expect(err).NotTo(HaveOccurred())
				}
			}
			Expect(refused).To(Equal(len(errs) - 1))
		})
		it("is one root's", func(ctx SpecContext) {
			name := newID()
			b := f.create(ctx, &quixand.Options{Name: name})
			elsewhere := f.clientAt(filepath.Join(f.root, "other"), f.harness.New)
			DeferCleanup(elsewhere.Close)
			_, err := elsewhere.Get(ctx, name)
			Expect(err).To(failAs(quixand.ErrNotFound))
			Expect(elsewhere.Rename(ctx, b.ID(), "stolen")).To(failAs(quixand.ErrNotFound))
			sb, err := elsewhere.Create(ctx, f.marked(&quixand.Options{Name: name}))
			Expect(err).NotTo(HaveOccurred())
			Expect(sb.Kill(ctx)).To(Succeed())
		})
		it("wins over the beginning of an id", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			other := f.create(ctx, &quixand.Options{Name: b.ID()[:6]})
			Expect(f.client.Get(ctx, b.ID()[:6])).To(HaveField("ID", other.ID()))
			Expect(f.client.Get(ctx, b.ID()[:7])).To(HaveField("ID", b.ID()))
		})
		it("is refused when it is none", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			for _, name := range []string{"A", "a b", "-a", "_a", "a.b", "a/b", "a:b", "ä", "a\n", string(make([]byte, 5))} {
				Expect(b.Rename(ctx, name)).To(failAs(quixand.ErrInvalid), "%q", name)
				_, err := f.tryCreate(ctx, &quixand.Options{Name: name})
				Expect(err).To(failAs(quixand.ErrInvalid), "%q", name)
			}
			Expect(f.client.Rename(ctx, newID(), "name")).To(failAs(quixand.ErrNotFound))
		})
	})
}
