package contract

import (
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// describeFind is about finding sandboxes again: from the list, by id, from
// another program, and not finding those of others.
func describeFind(f *fixture) {
	Describe("find", func() {
		describeList(f)
		describeConnect(f)
		describeRoots(f)
	})
}

func describeList(f *fixture) {
	Describe("list", Ordered, ContinueOnFailure, func() {
		var made []*box
		var mark string
		BeforeAll(func(ctx SpecContext) {
			mark = newID()
			made = nil
			for _, size := range []string{"small", "small", "large"} {
				made = append(made, f.create(ctx, &quixand.Options{
					Metadata: map[string]string{"mark": mark, "size": size},
				}))
			}
		}, NodeTimeout(time.Minute))

		list := func(ctx SpecContext, metadata map[string]string) []string {
			GinkgoHelper()
			infos, err := f.client.List(ctx, &quixand.ListOptions{Metadata: metadata})
			Expect(err).NotTo(HaveOccurred())
			ids := []string{}
			for _, info := range infos {
				ids = append(ids, info.ID)
			}
			return ids
		}

		it("tells the newest first", func(ctx SpecContext) {
			Expect(list(ctx, map[string]string{"mark": mark})).
				To(Equal([]string{made[2].ID(), made[1].ID(), made[0].ID()}))
		})
		it("selects by every pair of metadata", func(ctx SpecContext) {
			Expect(list(ctx, map[string]string{"mark": mark, "size": "small"})).
				To(Equal([]string{made[1].ID(), made[0].ID()}))
		})
		it("compares metadata whole", func(ctx SpecContext) {
			Expect(list(ctx, map[string]string{"mark": mark, "size": "smal"})).To(BeEmpty())
			Expect(list(ctx, map[string]string{"mark": mark, "size": ""})).To(BeEmpty())
			Expect(list(ctx, map[string]string{"mark": mark, "color": ""})).To(BeEmpty())
			Expect(list(ctx, map[string]string{"mark": mark, "size": "*"})).To(BeEmpty())
		})
		it("selects by state", func(ctx SpecContext) {
			mine := map[string]string{"mark": mark}
			Expect(f.client.List(ctx, &quixand.ListOptions{Metadata: mine, States: []quixand.State{adapters.StateRunning}})).
				To(HaveLen(3))
			Expect(f.client.List(ctx, &quixand.ListOptions{Metadata: mine, States: []quixand.State{adapters.StateStopped}})).
				To(BeEmpty())
		})
		it("selects by name", needs(Renamer), func(ctx SpecContext) {
			name := newID()
			b := f.create(ctx, &quixand.Options{Name: name})
			Expect(f.client.List(ctx, &quixand.ListOptions{Name: name})).To(ConsistOf(HaveField("ID", b.ID())))
			Expect(f.client.List(ctx, &quixand.ListOptions{Name: "no-" + name})).To(BeEmpty())
		})
		it("comes in pages that hold while sandboxes come and go", func(ctx SpecContext) {
			page := quixand.ListOptions{Metadata: map[string]string{"mark": mark}, Limit: 2}
			first, err := f.client.List(ctx, &page)
			Expect(err).NotTo(HaveOccurred())
			Expect(first).To(HaveExactElements(HaveField("ID", made[2].ID()), HaveField("ID", made[1].ID())))
			fourth := f.create(ctx, &quixand.Options{Metadata: page.Metadata})
			page.After = first[1].Cursor()
			Expect(f.client.List(ctx, &page)).To(ConsistOf(HaveField("ID", made[0].ID())))

			// A cursor outlives its sandbox.
			page.After, page.Limit = fourth.cursor(ctx), 1
			Expect(fourth.Kill(ctx)).To(Succeed())
			Expect(f.client.List(ctx, &page)).To(ConsistOf(HaveField("ID", made[2].ID())))
			page.After = made[0].cursor(ctx)
			Expect(f.client.List(ctx, &page)).To(BeEmpty())
		})
		it("refuses pages that make no sense", func(ctx SpecContext) {
			for _, opts := range []quixand.ListOptions{{Limit: -1}, {After: "x"}, {After: "1-"}, {After: "-" + newID()}, {Name: "No Name"}} {
				_, err := f.client.List(ctx, &opts)
				Expect(err).To(failAs(quixand.ErrInvalid), "%+v", opts)
			}
		})
		it("says the same as Get and Info", func(ctx SpecContext) {
			infos, err := f.client.List(ctx, &quixand.ListOptions{Metadata: map[string]string{"mark": mark, "size": "large"}})
			Expect(err).NotTo(HaveOccurred())
			Expect(infos).To(HaveLen(1))
			Expect(f.client.Get(ctx, made[2].ID())).To(sameAs(infos[0]))
			Expect(made[2].Info(ctx)).To(sameAs(infos[0]))
		})
		it("holds while sandboxes come and go", SpecTimeout(time.Minute), func(ctx SpecContext) {
			inParallel(4, func(i int) {
				for range 3 {
					if i == 0 {
						Expect(f.create(ctx, nil).Kill(ctx)).To(Succeed())
						continue
					}
					Expect(list(ctx, map[string]string{"mark": mark})).To(HaveLen(3))
				}
			})
		})
	})
}

func describeConnect(f *fixture) {
	Describe("connect", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		it("gives another program the same sandbox", func(ctx SpecContext) {
			b.write(ctx, "shared", "text")
			other, err := f.another().Connect(ctx, b.ID())
			Expect(err).NotTo(HaveOccurred())
			Expect(other.ID()).To(Equal(b.ID()))
			Expect(other.Workdir()).To(Equal(b.Workdir()))
			Expect(other.Files.ReadString(ctx, "shared")).To(Equal("text"))
		})
		it("takes an unambiguous prefix", func(ctx SpecContext) {
			other, err := f.another().Connect(ctx, b.ID()[:10])
			Expect(err).NotTo(HaveOccurred())
			Expect(other.ID()).To(Equal(b.ID()))
			Expect(f.client.Get(ctx, b.ID()[:10])).To(HaveField("ID", b.ID()))
		})
		it("refuses a prefix that two sandboxes share", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
			// Ids begin with one of 32 characters, so 33 of them would be sure to share
			// one; adapters take ids, so that two are enough.
			spec := f.spec()
			spec.ID = b.ID()[:len(b.ID())-1] + "0"
			if spec.ID == b.ID() {
				spec.ID = b.ID()[:len(b.ID())-1] + "1"
			}
			a := f.adapter()
			_, err := a.Create(ctx, spec)
			Expect(err).NotTo(HaveOccurred())
			f.own(spec.ID)
			_, err = f.client.Connect(ctx, b.ID()[:10])
			Expect(err).To(failAs(quixand.ErrInvalid))
			Expect(err).To(MatchError(ContainSubstring(b.ID()[:10])))
			Expect(f.client.Kill(ctx, b.ID()[:10])).To(failAs(quixand.ErrInvalid))
			Expect(f.client.Connect(ctx, b.ID())).To(HaveField("Workdir()", b.Workdir()))
		})
		it("does not find what is not there", func(ctx SpecContext) {
			for _, id := range []string{newID(), "zzzz", "no-such_name"} {
				_, err := f.client.Connect(ctx, id)
				Expect(err).To(failAs(quixand.ErrNotFound), id)
				_, err = f.client.Get(ctx, id)
				Expect(err).To(failAs(quixand.ErrNotFound), id)
			}
		})
		it("refuses what cannot be an id", func(ctx SpecContext) {
			for _, id := range []string{"", "..", "../" + b.ID(), "A", "a b", "-a", "a/b", "ä", strings.Repeat("a", 64), "a\n"} {
				_, err := f.client.Connect(ctx, id)
				Expect(err).To(failAs(quixand.ErrInvalid), "%q", id)
				Expect(f.client.Kill(ctx, id)).To(failAs(quixand.ErrInvalid), "%q", id)
			}
		})
		it("needs no engine", needs(Unreachable, Resolver), func(ctx SpecContext) {
			alone := f.clientAt(f.root, f.harness.Unreachable)
			DeferCleanup(alone.Close)
			other, err := alone.Connect(ctx, b.ID())
			Expect(err).NotTo(HaveOccurred())
			res, err := other.Run(ctx, "echo", "hello")
			Expect(err).NotTo(HaveOccurred())
			Expect(res.Text()).To(Equal("hello\n"))
			_, err = alone.List(ctx, nil)
			Expect(err).To(failAs(quixand.ErrUnavailable))
		})
	})
}

func describeRoots(f *fixture) {
	Describe("roots", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		it("keep their sandboxes apart", func(ctx SpecContext) {
			other := f.clientAt(filepath.Join(f.root, "other"), f.harness.New)
			DeferCleanup(other.Close)
			Expect(other.List(ctx, nil)).To(BeEmpty())
			_, err := other.Get(ctx, b.ID())
			Expect(err).To(failAs(quixand.ErrNotFound))
			_, err = other.Connect(ctx, b.ID())
			Expect(err).To(failAs(quixand.ErrNotFound))
			Expect(other.Kill(ctx, b.ID())).To(failAs(quixand.ErrNotFound))
			Expect(b.sh(ctx, "echo alive")).To(Equal("alive"))
		})
		it("are listed together for those who ask", func(ctx SpecContext) {
			other := f.clientAt(filepath.Join(f.root, "other"), f.harness.New)
			DeferCleanup(other.Close)
			infos, err := other.List(ctx, &quixand.ListOptions{AllRoots: true, Metadata: map[string]string{runKey: f.run}})
			Expect(err).NotTo(HaveOccurred())
			Expect(infos).To(ContainElement(SatisfyAll(HaveField("ID", b.ID()), HaveField("Root", f.root))))
		})
		it("do not see what is not Quixand's", needs(Stranger), func(ctx SpecContext) {
			id := newID()
			alive, remove, err := f.harness.Stranger(ctx, id)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(remove)
			_, err = f.client.Get(ctx, id)
			Expect(err).To(failAs(quixand.ErrNotFound))
			Expect(f.client.Kill(ctx, id)).To(failAs(quixand.ErrNotFound))
			Expect(f.client.List(ctx, &quixand.ListOptions{AllRoots: true})).NotTo(ContainElement(HaveField("ID", id)))
			Expect(alive(ctx)).To(BeTrue())
		})
	})
}
