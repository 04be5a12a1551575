package e2e

import (
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("qs pause", needsEngine, Ordered, ContinueOnFailure, func() {
	id := shared()

	It("freezes a sandbox, says so, and lets it go on", limit, func(ctx SpecContext) {
		Expect(ok(ctx, "pause", *id)).To(Equal(*id))
		Expect(ok(ctx, "ps", "--state", "paused", "--quiet")).To(Equal(*id))
		out := qs(ctx, "exec", *id, "true")
		Expect(out.Code).To(Equal(125))
		Expect(out.Stderr).To(ContainSubstring("sandbox is paused\nhint: resume it with: qs resume " + *id))
		Expect(ok(ctx, "status", *id)).To(MatchRegexp(`State: +paused`))
		Expect(ok(ctx, "resume", *id)).To(Equal(*id))
		Expect(ok(ctx, "exec", *id, "echo", "hi")).To(Equal("hi"))
	})
	It("is refused twice, with nothing changed", limit, func(ctx SpecContext) {
		out := qs(ctx, "resume", *id)
		Expect(out.Code).To(Equal(1))
		Expect(out.Stderr).To(MatchRegexp(`^qs: resume ` + *id + `: .*is not paused.*\n$`))
		Expect(ok(ctx, "ps", "--state", "running", "--quiet")).To(Equal(*id))
	})
})

var _ = Describe("qs rename", needsEngine, Ordered, ContinueOnFailure, func() {
	id := shared("--name", "first")

	It("makes a name as good as an id", limit, func(ctx SpecContext) {
		Expect(ok(ctx, "exec", "first", "echo", "hi")).To(Equal("hi"))
		Expect(ok(ctx, "ps")).To(MatchRegexp(`ID +NAME +IMAGE.*\n%s +first +`, *id))
		ok(ctx, "rename", "first", "second")
		Expect(ok(ctx, "__complete", "kill", "se")).To(HavePrefix("second\n"))
		Expect(qs(ctx, "status", "first").Code).To(Equal(3))
		Expect(ok(ctx, "status", "second")).To(ContainSubstring(*id))
	})
	It("says whose a name is", limit, func(ctx SpecContext) {
		out := qs(ctx, "create", "--name", "second")
		Expect(out).To(Equal(outcome{Code: 1, Stderr: out.Stderr}))
		Expect(out.Stderr).To(ContainSubstring("there is a sandbox second already\nhint: "))
	})
})

var _ = Describe("qs snapshot", needsEngine, Ordered, ContinueOnFailure, func() {
	id := shared("--metadata", "team=mine")

	It("keeps files for sandboxes to come", limit, func(ctx SpecContext) {
		ok(ctx, "exec", *id, "sh", "-c", "echo kept >file")
		Expect(ok(ctx, "snapshot", *id, "--name", "ready")).To(Equal("ready"))
		DeferCleanup(func(ctx SpecContext) { qs(ctx, "snapshots", "rm", "ready") })
		Expect(ok(ctx, "snapshots", "ls")).To(MatchRegexp(`NAME .*\nready +\S+ +%s +\d+\.\d MiB +\d+s ago`, *id))
		Expect(ok(ctx, "run", "--snapshot", "ready", "--", "cat", "file")).To(Equal("kept"))
		Expect(ok(ctx, "snapshots", "rm", "ready")).To(Equal("ready"))
	})
	It("says what is wrong in one line, with nothing changed", limit, func(ctx SpecContext) {
		for _, args := range [][]string{
			{"snapshot", *id, "--name", "UPPER"},
			{"snapshots", "rm", "nosuch"},
			{"create", "--snapshot", "nosuch"},
		} {
			out := qs(ctx, args...)
			Expect(out.Code).To(BeElementOf(1, 3), "%v", args)
			Expect(out.Stderr).To(MatchRegexp(`^qs: .+\nhint: .+\n$`), "%v", args)
		}
		Expect(ok(ctx, "snapshots", "ls", "--quiet")).To(BeEmpty())
	})
	It("forks", limit, func(ctx SpecContext) {
		ok(ctx, "exec", *id, "sh", "-c", "echo shared >file")
		fork := ok(ctx, "fork", *id)
		DeferCleanup(func(ctx SpecContext) { ok(ctx, "kill", fork) })
		Expect(ok(ctx, "exec", fork, "cat", "file")).To(Equal("shared"))
		Expect(ok(ctx, "ps", "--metadata", "team=mine", "--quiet")).To(ContainSubstring(fork))
	})
})

var _ = Describe("qs fork, killed", needsEngine, func() {
	It("leaves nothing that the next call does not remove", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
		id := create(ctx)
		DeferCleanup(func(ctx SpecContext) { ok(ctx, "kill", id) })
		ok(ctx, "exec", id, "sh", "-c", "head -c 30000000 /dev/urandom >noise")
		for after := time.Duration(0); after < 600*time.Millisecond; after += 60 * time.Millisecond {
			session := start(command(ctx, "fork", id, "--timeout", "1s"))
			time.Sleep(after)
			session.Kill().Wait()
		}
		images := func(g Gomega) []string {
			ok(ctx, "ps")
			out, err := exec.CommandContext(ctx, "podman", "images", "--format", "{{.Names}}", "--filter", "label=quixand.root="+suite.root).Output()
			g.Expect(err).NotTo(HaveOccurred())
			return strings.Fields(string(out))
		}
		eventually(ctx, images).WithPolling(time.Second).Should(BeEmpty())
		Expect(ok(ctx, "exec", id, "echo", "alive")).To(Equal("alive"))
		Expect(ok(ctx, "ps", "--quiet")).To(Equal(id))
	})
})
