package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// These run on hosts with cgroup controllers and on hosts without. Each kind has
// to say which it is.
var _ = Describe("qs and limits", needsEngine, Label("limits"), func() {
	It("shows which limits are in force, and which cannot be", limit, func(ctx SpecContext) {
		status, doctor := "none of memory, CPUs, processes", `no controller for: memory, pids, cpu; .* refused`
		if enforces("pids") {
			status, doctor = `4096 processes; none of memory, CPUs`, `OK +cgroups +.*\bpids\b`
		}
		Expect(ok(ctx, "status", create(ctx))).To(MatchRegexp(`(?m)^Limits: +%s$`, status))
		Expect(ok(ctx, "doctor")).To(MatchRegexp(doctor))
	})
	It("keeps a limit, or refuses it", limit, func(ctx SpecContext) {
		if enforces("memory") {
			id := create(ctx, "--memory", "64m")
			Expect(ok(ctx, "status", id)).To(MatchRegexp(`(?m)^Limits: +memory 64.0 MiB; `))
			Expect(ok(ctx, "exec", id, "cat", "/sys/fs/cgroup/memory.max")).To(Equal("67108864"))
			return
		}
		out := qs(ctx, "create", "--memory", "64m")
		Expect(out.Code).NotTo(BeZero())
		Expect(out.Stderr).To(MatchRegexp(`cannot enforce a memory limit(.|\n)*\nhint: `))
	})
	It("tells that a sandbox had no more memory, and how much it could have", limit, func(ctx SpecContext) {
		needsLimit("memory")
		id := create(ctx, "--memory", "32m")
		write := command(ctx, "files", "write", id, "/dev/shm/much")
		write.Stdin = strings.NewReader(strings.Repeat("x", 64<<20))
		Expect(write.Run()).NotTo(Succeed())
		Expect(ok(ctx, "wait", id)).To(Equal("memory: out of memory"))
		out := qs(ctx, "status", id)
		Expect(out.Code).To(Equal(3))
		Expect(out.Stdout).To(MatchRegexp(`(?m)^Limit: +memory 33554432 bytes$`))
		Expect(qs(ctx, "exec", id, "true").Stderr).To(MatchRegexp("ended .* ago: out of memory\nhint: create another, with more memory"))
	})
})

// enforces reports whether systemd lends this user a cgroup controller.
func enforces(controller string) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/sys/fs/cgroup/user.slice/user-%[1]d.slice/user@%[1]d.service/cgroup.controllers", os.Getuid()))
	return slices.Contains(strings.Fields(string(text)), controller)
}

// needsLimit skips the case where a limit cannot be had, and fails it where
// $QS_TEST_REQUIRE says that it can.
func needsLimit(controller string) {
	GinkgoHelper()
	if enforces(controller) {
		return
	}
	name := controller + " limit"
	if slices.Contains(strings.Split(os.Getenv("QS_TEST_REQUIRE"), ","), name) {
		Fail("QS_TEST_REQUIRE names " + name + ", which is not there")
	}
	Skip("lacks " + name)
}
