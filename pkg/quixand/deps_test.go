package quixand_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestKnowsNoEngine makes sure that a program pays for the engines that it
// links, and for no other.
func TestKnowsNoEngine(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	must(t, err)
	const adapters = "github.com/quixand/quixand/pkg/adapters"
	for pkg := range strings.Lines(string(out)) {
		pkg = strings.TrimSpace(pkg)
		for _, engine := range []string{"github.com/containers/", "go.podman.io/", "github.com/docker/", "github.com/moby/moby"} {
			if strings.HasPrefix(pkg, engine) {
				t.Errorf("imports %s", pkg)
			}
		}
		if strings.HasPrefix(pkg, adapters+"/") || strings.HasPrefix(pkg, "github.com/quixand/quixand/internal/agent/") {
			t.Errorf("imports %s", pkg)
		}
	}
}
