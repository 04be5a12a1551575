package contract

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// report prints what ran and, by reason, what did not: a suite that skips
// everything must not look like one that passes.
func (f *fixture) report(r Report) {
	ran, skipped, stale := 0, map[string]int{}, maps.Clone(f.harness.Deviations)
	for _, s := range r.SpecReports {
		if s.LeafNodeType != types.NodeTypeIt {
			continue
		}
		delete(stale, f.caseText(s))
		switch {
		case s.State == types.SpecStateSkipped && s.Failure.Message != "":
			skipped[s.Failure.Message]++
		case s.State.Is(types.SpecStatePassed | types.SpecStateFailureStates):
			ran++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: %d cases ran\n", f.name, ran)
	reasons := slices.SortedFunc(maps.Keys(skipped), func(a, b string) int {
		return cmp.Or(skipped[b]-skipped[a], strings.Compare(a, b))
	})
	for _, reason := range reasons {
		fmt.Fprintf(&b, "%6d skipped: %s\n", skipped[reason], reason)
	}
	if f.Lacking != "" {
		fmt.Fprintf(&b, "%s: %s\n", f.name, f.Lacking)
	}
	fmt.Print(b.String())
	if len(stale) > 0 {
		Fail(fmt.Sprintf("deviations that name no case: %q", slices.Sorted(maps.Keys(stale))))
	}
}
