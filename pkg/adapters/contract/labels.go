package contract

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeLabels is about what can be noted on a sandbox while it lives.
func describeLabels(f *fixture) {
	Describe("labels", func() {
		it("can be set, changed and removed, also by other programs", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Labels: map[string]string{"stage": "test", "team": "mine"}})
			Expect(f.status(ctx, b).Labels).To(Equal(map[string]string{"stage": "test", "team": "mine"}))
			Expect(f.connect(ctx, b).SetLabels(ctx, map[string]string{"stage": "run", "new": ""}, "team", "nosuch")).To(Succeed())
			Expect(f.status(ctx, b).Labels).To(Equal(map[string]string{"stage": "run", "new": ""}))
		})
		it("are changed all or not at all", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Labels: map[string]string{"a": "1"}})
			for _, bad := range []map[string]string{
				{"b": "2", "": "x"},
				{"b": "2", "c-": "x"},
				{"b": "2", "c": "two\nlines"},
				{"b": "2", "c": strings.Repeat("x", 1000)},
			} {
				Expect(b.SetLabels(ctx, bad, "a")).To(failAs(quixand.ErrInvalid))
			}
			Expect(f.status(ctx, b).Labels).To(Equal(map[string]string{"a": "1"}))
			_, err := f.tryCreate(ctx, &quixand.Options{Labels: map[string]string{"": "x"}})
			Expect(err).To(failAs(quixand.ErrInvalid))
		})
		it("select in lists", func(ctx SpecContext) {
			mark := newID()
			small := f.create(ctx, &quixand.Options{Labels: map[string]string{"mark": mark, "size": "small"}})
			large := f.create(ctx, &quixand.Options{Labels: map[string]string{"mark": mark}})
			Expect(large.SetLabels(ctx, map[string]string{"size": "large"})).To(Succeed())
			for size, want := range map[string]*box{"small": small, "large": large} {
				Expect(f.another().List(ctx, &quixand.ListOptions{Labels: map[string]string{"mark": mark, "size": size}})).
					To(ConsistOf(HaveField("ID", want.ID())))
			}
			Expect(f.client.List(ctx, &quixand.ListOptions{Labels: map[string]string{"mark": mark}})).To(HaveLen(2))
			Expect(f.client.List(ctx, &quixand.ListOptions{Labels: map[string]string{"mark": mark}, Limit: 1})).
				To(ConsistOf(HaveField("ID", large.ID())))
			Expect(f.client.List(ctx, &quixand.ListOptions{Labels: map[string]string{"mark": mark, "absent": ""}})).To(BeEmpty())
			_, err := f.client.List(ctx, &quixand.ListOptions{Labels: map[string]string{"": "x"}})
			Expect(err).To(failAs(quixand.ErrInvalid))
		})
	})
}
