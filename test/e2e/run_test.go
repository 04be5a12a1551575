package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
)

var _ = Describe("qs run", needsEngine, func() {
	for _, c := range []struct {
		what   string
		args   []string
		stdout string
		stderr string
		code   int
	}{
		{"prints what the command prints", []string{"--", "sh", "-c", "echo out; echo err >&2"}, "out\n", "err\n", 0},
		{"exits as the command does", []string{"--", "sh", "-c", "exit 42"}, "", "", 42},
		{"exits with 255", []string{"--", "sh", "-c", "exit 255"}, "", "", 255},
		{"exits with 128 and the signal", []string{"--", "sh", "-c", "kill -TERM $$"}, "", "", 143},
		{"exits with 127 when there is no command", []string{"--", "no-such-command"}, "", "no-such-command", 127},
		{"exits with 126 when it cannot be executed", []string{"--", "/etc/passwd"}, "", "/etc/passwd", 126},
		{"exits with 125 when there is no image", []string{"--pull", "never", "--image", "localhost/none:1", "--", "true"}, "", "localhost/none:1", 125},
		{"exits with 125 when a flag is wrong", []string{"--no-such-flag", "--", "true"}, "", "no-such-flag", 125},
		{"exits with 124 when the time is up", []string{"--timeout", "1s", "--", "sleep", "1000"}, "", "", 124},
		{"keeps the command's own flags", []string{"sh", "-c", "echo $0 $1", "--help", "-q"}, "--help -q\n", "", 0},
		{"sets variables", []string{"-e", "A=b c", "--", "sh", "-c", "echo $A"}, "b c\n", "", 0},
		{"starts in a directory", []string{"-w", "/srv/work", "--", "pwd"}, "/srv/work\n", "", 0},
		{"runs as root when told", []string{"-u", "root", "--", "id", "-u"}, "0\n", "", 0},
		{"has no network when told", []string{"--network", "none", "--", "sh", "-c", "wc -l </proc/net/dev"}, "3\n", "", 0},
	} {
		It(c.what, limit, func(ctx SpecContext) {
			out := qs(ctx, append([]string{"run"}, c.args...)...)
			Expect(out.Stdout).To(Equal(c.stdout))
			Expect(out.Stderr).To(ContainSubstring(c.stderr))
			Expect(out.Code).To(Equal(c.code), out.Stderr)
			expectNone(ctx)
		})
	}

	It("passes a piped input on, byte by byte", limit, func(ctx SpecContext) {
		cmd := command(ctx, "run", "--", "cat")
		cmd.Stdin = strings.NewReader("in\x00\xff\r\n")
		Expect(run(cmd)).To(Equal(outcome{Stdout: "in\x00\xff\r\n"}))
	})
	It("ends with a broken pipe", limit, func(ctx SpecContext) {
		cmd := command(ctx, "run", "--", "sh", "-c", "while :; do echo line; done")
		r, w, err := os.Pipe()
		Expect(err).NotTo(HaveOccurred())
		cmd.Stdout = w
		Expect(cmd.Start()).To(Succeed())
		Expect(w.Close()).To(Succeed())
		_, err = r.Read(make([]byte, 5))
		Expect(err).NotTo(HaveOccurred())
		Expect(r.Close()).To(Succeed())
		Expect(cmd.Wait()).NotTo(Succeed())
		expectNone(ctx)
	})

	Describe("and a signal", func() {
		It("hands an interrupt to the command", limit, func(ctx SpecContext) {
			session := running(ctx, "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.01; done")
			session.Interrupt()
			eventually(ctx, session).Should(gexec.Exit(3))
			Expect(session.Out).To(gbytes.Say("caught"))
			expectNone(ctx)
		})
		It("kills the command at the second interrupt", limit, func(ctx SpecContext) {
			session := running(ctx, "trap 'echo no' INT; echo ready; while :; do sleep 0.01; done")
			session.Interrupt()
			eventually(ctx, session.Out).Should(gbytes.Say("no"))
			session.Interrupt()
			eventually(ctx, session).Should(gexec.Exit())
			Expect(session.ExitCode()).To(BeNumerically(">", 128))
			expectNone(ctx)
		})
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
			It(fmt.Sprintf("leaves nothing when signal %d ends it", sig), limit, func(ctx SpecContext) {
				session := running(ctx, "echo ready; exec sleep 1000")
				session.Signal(sig)
				eventually(ctx, session).Should(gexec.Exit(128 + int(sig)))
				expectNone(ctx)
			})
			It(fmt.Sprintf("leaves nothing when signal %d comes twice to a command that ignores it", sig), limit, func(ctx SpecContext) {
				session := running(ctx, "trap 'echo no' TERM HUP; echo ready; while :; do sleep 0.01; done")
				session.Signal(sig)
				eventually(ctx, session.Out).Should(gbytes.Say("no"))
				session.Signal(sig)
				eventually(ctx, session).Should(gexec.Exit(128 + int(syscall.SIGKILL)))
				expectNone(ctx)
			})
		}
		It("leaves nothing when it comes while the sandbox is made", limit, func(ctx SpecContext) {
			session := start(command(ctx, "run", "--", "sleep", "1000"))
			session.Terminate()
			eventually(ctx, session).Should(gexec.Exit())
			expectNone(ctx)
		})
	})
})

var _ = Describe("qs run and the death of qs", needsEngine, func() {
	It("leaves nothing ten seconds after it was killed", limit, func(ctx SpecContext) {
		session := running(ctx, "echo ready; exec sleep 1000")
		session.Kill()
		eventually(ctx, func() string { return ok(ctx, "ls", "--quiet") }).WithTimeout(10 * time.Second).Should(BeEmpty())
	})
	It("leaves nothing when it was killed before the sandbox could tell", limit, func(ctx SpecContext) {
		session := start(command(ctx, "run", "--", "sleep", "1000"))
		eventually(ctx, func() string { return ok(ctx, "ls", "--quiet") }).ShouldNot(BeEmpty())
		session.Kill()
		eventually(ctx, func() string { return ok(ctx, "ls", "--quiet") }).WithTimeout(10 * time.Second).Should(BeEmpty())
	})
	It("keeps its sandbox while it is stopped", limit, func(ctx SpecContext) {
		session := running(ctx, "echo ready; sleep 12; echo done")
		session.Signal(syscall.SIGSTOP)
		Consistently(func() string { return ok(ctx, "ls", "--quiet") }).WithTimeout(9 * time.Second).
			WithPolling(time.Second).ShouldNot(BeEmpty())
		session.Signal(syscall.SIGCONT)
		eventually(ctx, session).Should(gexec.Exit(0))
		Expect(session.Out).To(gbytes.Say("done"))
		expectNone(ctx)
	})
})

// running starts qs run with a script and waits until it prints "ready".
func running(ctx SpecContext, script string) *gexec.Session {
	GinkgoHelper()
	session := start(command(ctx, "run", "--", "sh", "-c", script))
	eventually(ctx, session.Out).Should(gbytes.Say("ready\n"))
	return session
}

// expectNone asserts that no sandbox is there.
func expectNone(ctx SpecContext) {
	GinkgoHelper()
	Expect(ok(ctx, "ls", "--quiet")).To(BeEmpty())
}
