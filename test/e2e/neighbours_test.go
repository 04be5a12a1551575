package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/statedir"
)

// Somebody else on this host, and somebody else's root of the same user.
var _ = Describe("a neighbour", needsEngine, Ordered, func() {
	id := shared()

	// verbs are what one could do to a sandbox by its id.
	verbs := func(id string) [][]string {
		return [][]string{
			{"status", id},
			{"exec", id, "--", "true"},
			{"attach", id, "1"},
			{"cp", id + ":/etc/passwd", "-"},
			{"logs", id},
			{"pause", id},
			{"snapshot", id},
			{"fork", id},
			{"rename", id, "mine"},
			{"kill", id},
		}
	}

	Describe("with another user id", func() {
		It("cannot see or touch the user's sandboxes", limit, func(ctx SpecContext) {
			all := append(verbs(*id), []string{"ls"}, []string{"ls", "--all-roots"}, []string{"kill", "--all"}, []string{"prune"}, []string{"create"})
			for _, verb := range all {
				out := run(asNeighbour(ctx, append([]string{program()}, verb...)...))
				Expect(out.Code).To(SatisfyAny(Equal(4), Equal(125)), "qs %s\n%s", verb, out.Stderr)
				Expect(out.Stdout).NotTo(ContainSubstring(*id), "qs %s", verb)
				Expect(out.Stderr).To(ContainSubstring("permission denied"), "qs %s", verb)
			}
			Expect(ok(ctx, "exec", *id, "--", "echo", "alive")).To(Equal("alive"))
		})

		It("cannot open what is kept of them on disk", limit, func(ctx SpecContext) {
			dirs := statedir.Open(suite.root)
			for _, path := range []string{
				suite.root, dirs.Path(), dirs.Sandbox(*id), filepath.Join(dirs.Sandbox(*id), "agent.sock"), dirs.Log(*id),
			} {
				Expect(path).To(BeAnExistingFile())
				out := run(asNeighbour(ctx, "dd", "if="+path, "count=0", "status=none"))
				Expect(out.Code).NotTo(BeZero(), path)
				Expect(out.Stderr).To(ContainSubstring("Permission denied"), path)
			}
		})

		It("is kept out by the directories' own modes", func() {
			dirs := statedir.Open(suite.root)
			for _, path := range []string{suite.root, dirs.Path(), dirs.Sandbox(*id)} {
				info, err := os.Stat(path)
				Expect(err).NotTo(HaveOccurred())
				Expect(info.Mode().Perm()&0o077).To(BeZero(), "%s is %v", path, info.Mode())
			}
		})
	})

	Describe("with another root", Ordered, func() {
		var root string
		BeforeAll(func() { root = GinkgoT().TempDir() })

		It("cannot see or touch the sandbox", limit, func(ctx SpecContext) {
			for _, verb := range verbs(*id) {
				out := qs(ctx, append([]string{"--root", root}, verb...)...)
				Expect(out.Code).To(SatisfyAny(Equal(3), Equal(125)), "qs %s\n%s", verb, out.Stderr)
				Expect(out.Stderr).To(ContainSubstring("no sandbox "+*id), "qs %s", verb)
			}
			Expect(ok(ctx, "--root", root, "ls", "--quiet")).To(BeEmpty())
			ok(ctx, "--root", root, "kill", "--all")
			Expect(ok(ctx, "exec", *id, "--", "echo", "alive")).To(Equal("alive"))
		})

		It("sees it when asked for all", limit, func(ctx SpecContext) {
			Expect(strings.Fields(ok(ctx, "--root", root, "ls", "--quiet", "--all-roots"))).To(ContainElement(*id))
		})
	})
})

// asNeighbour is a command of somebody who knows where all of the user's things
// are and has none of his rights. For the kernel his id, out of the user's
// range, is as strange to the user's files as that of any other account.
func asNeighbour(ctx context.Context, args ...string) *exec.Cmd {
	drop := []string{"unshare", "setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"}
	return exec.CommandContext(ctx, "podman", append(drop, args...)...)
}
