package e2e

import (
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// In these cases the creator is dead: qs has printed the id and ended.
var _ = Describe("timeouts", needsEngine, func() {
	enforcedBy := func(names string) {
		GinkgoHelper()
		GinkgoT().Setenv("QS_ENFORCER", names)
	}
	for _, enforcer := range []string{"agent", "systemd"} {
		It("are kept without any process of ours on the host, by: "+enforcer, limit, func(ctx SpecContext) {
			enforcedBy(enforcer)
			idle, busy := create(ctx, "--timeout", "2s"), create(ctx, "--lifetime", "3s")
			created := time.Now()
			ok(ctx, "exec", "--detach", busy, "sleep", "1000")
			Expect(ok(ctx, "status", idle)).To(MatchRegexp(`Enforced by: +` + enforcer + `\n?`))
			expectEnd(ctx, idle, created.Add(2*time.Second))
			expectEnd(ctx, busy, created.Add(3*time.Second))
			// A timer goes with the service that it has started, which ends last.
			eventually(ctx, func() string { return timers(ctx) }).ShouldNot(Or(ContainSubstring(idle), ContainSubstring(busy)))
		})
	}
	It("are shown by systemd, and forgotten with the sandbox", limit, func(ctx SpecContext) {
		id := create(ctx)
		Expect(timers(ctx)).To(ContainSubstring(id))
		ok(ctx, "kill", id)
		Expect(timers(ctx)).NotTo(ContainSubstring(id))
	})
	It("wait for a command of somebody else's", limit, func(ctx SpecContext) {
		enforcedBy("systemd")
		id := create(ctx, "--timeout", "1s")
		Expect(ok(ctx, "exec", id, "sh", "-c", "sleep 3; echo done")).To(Equal("done"))
		expectEnd(ctx, id, time.Now().Add(time.Second))
	})
	It("end a sandbox whose agent hangs", limit, func(ctx SpecContext) {
		id := create(ctx, "--lifetime", "3s")
		end := time.Now().Add(3500 * time.Millisecond) // the agent is let go first
		Expect(exec.CommandContext(ctx, "podman", "kill", "--signal", "STOP", "qs-"+id).Run()).To(Succeed())
		expectEnd(ctx, id, end)
		Expect(qs(ctx, "status", id).Stdout).To(ContainSubstring("lifetime"))
	})
	It("pause a sandbox", limit, func(ctx SpecContext) {
		id := create(ctx, "--timeout", "1s", "--on-timeout", "pause")
		eventually(ctx, func() string { return ok(ctx, "ps", "--state", "paused", "--quiet") }).
			WithTimeout(10 * time.Second).Should(ContainSubstring(id))
		ok(ctx, "resume", id)
		Expect(ok(ctx, "exec", id, "echo", "hi")).To(Equal("hi"))
		eventually(ctx, func() string { return ok(ctx, "ps", "--state", "paused", "--quiet") }).
			WithTimeout(10 * time.Second).Should(ContainSubstring(id))
		ok(ctx, "kill", id)
		Expect(timers(ctx)).NotTo(ContainSubstring(id))
	})
	It("pause a sandbox that somebody else has resumed", limit, func(ctx SpecContext) {
		id := create(ctx, "--timeout", "1s", "--on-timeout", "pause")
		state := func() (string, error) {
			out, err := exec.CommandContext(ctx, "podman", "inspect", "--format", "{{.State.Status}}", "qs-"+id).Output()
			return strings.TrimSpace(string(out)), err
		}
		// qs is not asked, for it would look itself.
		eventually(ctx, state).WithTimeout(10 * time.Second).Should(Equal("paused"))
		Expect(exec.CommandContext(ctx, "podman", "unpause", "qs-"+id).Run()).To(Succeed())
		Expect(state()).To(Equal("running"))
		eventually(ctx, state).WithTimeout(20 * time.Second).Should(Equal("paused"))
	})
	It("leave a timer at most until the next call, whoever removed the sandbox", limit, func(ctx SpecContext) {
		id := create(ctx)
		Expect(exec.CommandContext(ctx, "podman", "rm", "--force", "--time", "0", "qs-"+id).Run()).To(Succeed())
		ok(ctx, "ps")
		Expect(timers(ctx)).NotTo(ContainSubstring(id))
	})
})

// expectEnd waits until the engine has forgotten a sandbox, which is to begin at a
// time. qs is not asked, for it would end what is overdue.
func expectEnd(ctx SpecContext, id string, at time.Time) {
	GinkgoHelper()
	there := func() error { return exec.CommandContext(ctx, "podman", "container", "exists", "qs-"+id).Run() }
	eventually(ctx, there).WithTimeout(20 * time.Second).ShouldNot(Succeed())
	// The engine's removal comes on top of the second within which it begins.
	Expect(time.Now()).To(BeTemporally("~", at, 1500*time.Millisecond))
}

// timers is what systemd shows of its timers.
func timers(ctx SpecContext) string {
	GinkgoHelper()
	out, err := exec.CommandContext(ctx, "systemctl", "--user", "list-timers", "--no-legend", "quixand-*").CombinedOutput()
	if err != nil {
		Skip("lacks systemd")
	}
	return string(out)
}
