package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Where nobody names an engine, and where nothing is that could be one.
var _ = Describe("the choice of an engine", func() {
	nowhere := func(ctx context.Context, args ...string) outcome {
		cmd := command(ctx, args...)
		dir := GinkgoT().TempDir()
		cmd.Env = []string{
			"PATH=" + dir, "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "QS_ROOT=" + dir,
			"DOCKER_HOST=unix://" + dir + "/no-docker.sock",
		}
		return run(cmd)
	}
	It("falls on rootless Podman, and is told", limit, needsEngine, func(ctx SpecContext) {
		cmd := command(ctx, "doctor")
		cmd.Env = append(cmd.Environ(), "QS_ADAPTER=", "QS_RUNTIME=")
		Expect(run(cmd).Stdout).To(MatchRegexp(`(?m)^OK +adapter +podman was chosen \(podman: rootless, `))
	})
	It("says what was looked at when there is nothing", limit, func(ctx SpecContext) {
		out := nowhere(ctx, "ls")
		Expect(out.Code).To(Equal(4))
		Expect(out.Stderr).To(MatchRegexp(`^qs: .*no engine .*podman: not installed; docker: .*no-docker.sock\nhint: install podman.*; or .*docker`))
	})
	It("is not made where one is named", limit, func(ctx SpecContext) {
		for _, flags := range [][]string{{"--adapter", "podman"}, {"--adapter", "local-podman"}} {
			out := nowhere(ctx, append(flags, "ls")...)
			Expect(out.Code).To(Equal(4))
			Expect(out.Stderr).To(ContainSubstring("podman is not installed"))
			Expect(out.Stderr).NotTo(ContainSubstring("docker"))
		}
	})
})
