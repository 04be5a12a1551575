package nearest

import (
	"slices"
	"testing"
)

func TestTo(t *testing.T) {
	known := []string{"python-data", "base", "basic", "node", "base"}
	for name, want := range map[string][]string{
		"base": {"base", "basic"}, "bas": {"base", "basic"}, "pyton-dta": {"python-data"}, "nodes": {"node"}, "other": nil, "": nil, "py": nil,
		"python": {"python-data"},
	} {
		if got := To(name, known); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
