package contract

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"

	"github.com/quixand/quixand/pkg/quixand"
)

// assertNothingLeft runs when this process has run its cases. It removes what they
// left behind, if anything, and fails over it.
func (f *fixture) assertNothingLeft(ctx SpecContext) {
	if f.client == nil {
		return
	}
	left, err := f.client.List(ctx, &quixand.ListOptions{AllRoots: true, Metadata: map[string]string{runKey: f.run}})
	Expect(err).NotTo(HaveOccurred())
	for _, info := range left {
		Expect(f.client.Kill(ctx, info.ID)).To(Succeed())
	}
	Expect(left).To(BeEmpty(), "sandboxes that the cases left behind")
	Expect(f.directories()).To(BeEmpty(), "directories of sandboxes that are gone")
	if f.harness.SameKernel {
		eventually(ctx, func() []string { return hostProcesses(f.ids) }).Should(BeEmpty())
	}
	if f.harness.Leftovers != nil {
		Expect(f.harness.Leftovers(ctx, f.root)).To(BeEmpty())
	}
	Expect(f.client.Close()).To(Succeed())
	eventually(ctx, gleak.Goroutines).WithTimeout(10 * time.Second).ShouldNot(gleak.HaveLeaked(f.before))
}
