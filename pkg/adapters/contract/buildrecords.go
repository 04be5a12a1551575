package contract

import (
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeBuildRecords is about what is remembered of builds.
func describeBuildRecords(f *fixture) {
	it("remember how they were built", func(ctx SpecContext) {
		begin := time.Now()
		said := once("RUN echo said")
		w := f.workshop(said)
		built := w.build(ctx)
		Expect(f.client.Templates().Builds(ctx, w.name)).To(HaveExactElements(HaveValue(And(
			HaveField("Hash", built.Hash),
			HaveField("Began", BeTemporally("~", begin, time.Since(begin))),
			HaveField("Took", And(BeNumerically(">", 0), BeNumerically("<", time.Since(begin)))),
			HaveField("Engine", f.name),
			HaveField("Error", BeEmpty()),
			HaveField("Log", ContainElements(said, "said")),
		))))
	})
	it("remember how a build failed, and the last good one", func(ctx SpecContext) {
		w := f.workshop(once("RUN echo good"))
		w.build(ctx)
		w.file("Dockerfile", "FROM "+f.harness.Image+"\nRUN echo bad; exit 3\n")
		_, err := w.tryBuild(ctx)
		Expect(err).To(HaveOccurred())
		Expect(f.client.Templates().Builds(ctx, w.name)).To(HaveExactElements(
			HaveValue(And(HaveField("Error", ContainSubstring("RUN echo bad; exit 3")), HaveField("Log", ContainElement("bad")))),
			HaveValue(And(HaveField("Error", BeEmpty()), HaveField("Log", ContainElement("good")))),
		))
	})
	it("know all but the output when the records are lost", func(ctx SpecContext) {
		w := f.workshop(once("RUN true"))
		w.build(ctx)
		before, err := f.client.Templates().Builds(ctx, w.name)
		Expect(err).NotTo(HaveOccurred())
		Expect(before).To(HaveLen(1))
		Expect(before[0].Log).NotTo(BeEmpty())
		list, err := f.client.Templates().List(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.RemoveAll(filepath.Join(f.root, "templates"))).To(Succeed())
		before[0].Log = nil
		Expect(f.client.Templates().Builds(ctx, w.name)).To(Equal(before))
		Expect(f.client.Templates().List(ctx)).To(ContainElement(findTemplate(list, w.name)))
		w.file("Dockerfile", "FROM "+f.harness.Image+"\n"+once("RUN echo again")+"\n")
		w.build(ctx)
		Expect(f.client.Templates().Builds(ctx, w.name)).To(HaveExactElements(
			HaveField("Log", ContainElement("again")), HaveField("Log", BeEmpty()),
		))
	})
	it("are forgotten when they are removed", func(ctx SpecContext) {
		w := f.workshop("RUN true")
		w.build(ctx)
		Expect(f.client.Templates().Remove(ctx, w.name, false)).To(Succeed())
		_, err := f.client.Templates().Builds(ctx, w.name)
		Expect(err).To(failAs(quixand.ErrNotFound))
		Expect(filepath.Glob(filepath.Join(f.root, "templates", w.name+".json"))).To(BeEmpty())
	})
}

func findTemplate(list []*quixand.Template, name string) *quixand.Template {
	for _, t := range list {
		if t.Name == name {
			return t
		}
	}
	return nil
}
