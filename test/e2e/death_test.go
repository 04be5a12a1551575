package e2e

import (
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
)

var _ = Describe("qs and the end of sandboxes", needsEngine, func() {
	It("shows what happens, also behind its back", limit, func(ctx SpecContext) {
		begin := time.Now().UTC().Format(time.RFC3339Nano)
		session := start(command(ctx, "events", "--since", begin))
		defer session.Kill()
		id := create(ctx)
		ok(ctx, "exec", id, "echo", "hello")
		Expect(exec.CommandContext(ctx, "podman", "rm", "--force", "qs-"+id).Run()).To(Succeed())
		for _, want := range []string{"created", "started", "ready", `exec  echo hello`, `killed \(engine\)  stopped from outside`, `died \(engine\)`, "removed"} {
			eventually(ctx, session.Out).Should(gbytes.Say(id + "  " + want))
		}
		session.Interrupt()
		eventually(ctx, session).Should(gexec.Exit(130))

		out := qs(ctx, "exec", id, "true")
		Expect(out.Code).To(Equal(125))
		Expect(out.Stderr).To(MatchRegexp(`^qs: .*%s: the sandbox ended \d+s ago: stopped from outside, as podman rm and podman stop do\n`, id))
	})
	It("waits for an end, and shows the last words", limit, func(ctx SpecContext) {
		id := create(ctx, "--timeout", "1s")
		ok(ctx, "exec", id, "echo", "these are my last words")
		Expect(ok(ctx, "wait", id)).To(Equal("idle for 1s"))
		out := qs(ctx, "status", id)
		Expect(out.Code).To(Equal(3))
		Expect(out.Stdout).To(And(ContainSubstring("idle timeout 1s"), ContainSubstring("these are my last words")))
		Expect(ok(ctx, "ps", "--all")).To(MatchRegexp(`%s .*ended: idle for 1s`, id))
		out = qs(ctx, "logs", id)
		Expect(out.Code).To(Equal(3))
		Expect(out.Stdout).To(Equal("these are my last words\n"))
	})
	It("follows logs", limit, func(ctx SpecContext) {
		id := create(ctx)
		session := start(command(ctx, "logs", "--follow", id))
		ok(ctx, "exec", id, "echo", "one")
		eventually(ctx, session.Out).Should(gbytes.Say("one\n"))
		ok(ctx, "kill", id)
		eventually(ctx, session).Should(gexec.Exit(0))
	})
})
