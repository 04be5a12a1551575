package e2e

import (
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
)

var _ = Describe("qs", needsEngine, Ordered, ContinueOnFailure, func() {
	id := shared("--metadata", "purpose=test")

	It("lists sandboxes", limit, func(ctx SpecContext) {
		Expect(ok(ctx, "ls")).To(MatchRegexp(`^ID +IMAGE +STATE +CREATED\n%s +\S+ +running +`, *id))
		Expect(ok(ctx, "ps", "--metadata", "purpose=test", "--quiet")).To(Equal(*id))
		Expect(ok(ctx, "sandbox", "ls", "--metadata", "purpose=other", "--quiet")).To(BeEmpty())
	})
	It("takes prefixes", limit, func(ctx SpecContext) {
		Expect(ok(ctx, "exec", (*id)[:6], "echo", "hi")).To(Equal("hi"))
		Expect(ok(ctx, "sandbox", "exec", (*id)[:6], "--", "echo", "-n", "hi")).To(Equal("hi"))
	})
	for _, c := range []struct {
		what string
		args []string
		want outcome
	}{
		{"passes output and exit code", []string{"ID", "--", "sh", "-c", "echo out; echo err >&2; exit 7"}, outcome{"out\n", "err\n", 7}},
		{"exits with 128 and the signal", []string{"ID", "--", "sh", "-c", "kill -9 $$"}, outcome{"", "", 137}},
		{"sets variables and directory", []string{"-e", "A=b", "-w", "/tmp", "ID", "sh", "-c", "echo $A $PWD"}, outcome{"b /tmp\n", "", 0}},
	} {
		It("execs: "+c.what, limit, func(ctx SpecContext) {
			args := strings.Split(strings.ReplaceAll(strings.Join(c.args, "\x00"), "ID", *id), "\x00")
			Expect(qs(ctx, append([]string{"exec"}, args...)...)).To(Equal(c.want))
		})
	}
	It("execs: says what is wrong in one line", limit, func(ctx SpecContext) {
		out := qs(ctx, "exec", "zzzzzzzz", "true")
		Expect(out.Code).To(Equal(125))
		Expect(out.Stderr).To(MatchRegexp(`^qs: .*zzzzzzzz.*\nhint: .+\n$`))
		out = qs(ctx, "exec", *id, "--", "no-such-command")
		Expect(out.Code).To(Equal(127))
		Expect(out.Stderr).To(ContainSubstring("no-such-command"))
	})
	It("execs: passes input", limit, func(ctx SpecContext) {
		cmd := command(ctx, "exec", *id, "--", "wc", "-c")
		cmd.Stdin = strings.NewReader(strings.Repeat("x", 5_000_000))
		Expect(run(cmd)).To(Equal(outcome{Stdout: "5000000\n"}))
	})
	It("execs: kills the command when it is killed", limit, func(ctx SpecContext) {
		session := start(command(ctx, "exec", *id, "--", "sh", "-c", "echo ready; exec sleep 4711"))
		eventually(ctx, session.Out).Should(gbytes.Say("ready"))
		session.Kill()
		eventually(ctx, func() string {
			return ok(ctx, "exec", *id, "--", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
		}).
			ShouldNot(ContainSubstring("sleep 4711"))
	})
	It("leaves a command running and attaches to it", limit, func(ctx SpecContext) {
		ok(ctx, "exec", "--detach", "--tag", "job", *id, "--", "sh", "-c", "echo one; sleep 0.5; echo two; exit 6")
		Expect(qs(ctx, "attach", *id, "job")).To(Equal(outcome{Stdout: "one\ntwo\n", Code: 6}))
	})
	It("runs code", limit, func(ctx SpecContext) {
		cmd := command(ctx, "run-code", *id)
		cmd.Stdin = strings.NewReader("import sys\nprint(6*7)\nsys.exit(4)\n")
		Expect(run(cmd)).To(Equal(outcome{Stdout: "42\n", Code: 4}))
	})
	It("shows a status and refreshes the timeout", limit, func(ctx SpecContext) {
		ok(ctx, "refresh-timeout", *id, "2h")
		Expect(ok(ctx, "status", *id)).To(And(ContainSubstring(*id), ContainSubstring("2h0m0s")))
	})
	It("exposes a port until it is interrupted", limit, func(ctx SpecContext) {
		server := start(command(ctx, "exec", *id, "--", "python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "8123"))
		eventually(ctx, server.Out).Should(gbytes.Say("Serving"))
		session := start(command(ctx, "expose", *id, "8123"))
		eventually(ctx, session.Out).Should(gbytes.Say(`http://127\.0\.0\.1:\d+\n`))
		url := strings.TrimSpace(string(session.Out.Contents()))
		res, err := http.Get(url)
		Expect(err).NotTo(HaveOccurred())
		Expect(res.Body.Close()).To(Succeed())
		Expect(res.StatusCode).To(Equal(http.StatusOK))
		session.Interrupt()
		eventually(ctx, session).Should(gexec.Exit(130))
		_, err = (&http.Client{Timeout: time.Second}).Get(url)
		Expect(err).To(HaveOccurred())
	})
	It("kills, and minds a second time", limit, func(ctx SpecContext) {
		other := create(ctx)
		Expect(ok(ctx, "rm", other)).To(Equal(other))
		out := qs(ctx, "kill", other)
		Expect(out.Code).To(Equal(3))
		Expect(out.Stderr).To(HavePrefix("qs: "))
		ok(ctx, "kill", "--force", other)
	})
	It("prints how long each phase took", limit, func(ctx SpecContext) {
		out := qs(ctx, "run", "--timing", "--", "echo", "hi")
		Expect(out.Stdout).To(Equal("hi\n"))
		for _, phase := range []string{"create", "start", "ready", "exec", "kill", "total"} {
			Expect(out.Stderr).To(MatchRegexp(`%s +\d+\.\d ms`, phase))
		}
	})
})

var _ = Describe("qs without an engine", needsEngine, Ordered, ContinueOnFailure, func() {
	id := shared()
	deaf := func(ctx SpecContext, args ...string) outcome {
		GinkgoHelper()
		cmd := command(ctx, args...)
		cmd.Env = append(cmd.Environ(), "CONTAINER_HOST=unix:///no/such/podman.sock")
		return run(cmd)
	}
	It("still runs commands, moves files and tells the status", limit, func(ctx SpecContext) {
		Expect(deaf(ctx, "exec", *id, "echo", "hi")).To(Equal(outcome{Stdout: "hi\n"}))
		Expect(deaf(ctx, "files", "cat", *id, "/etc/hostname").Code).To(BeZero())
		Expect(deaf(ctx, "status", *id)).To(And(HaveField("Code", 0), HaveField("Stdout", ContainSubstring("Agent:"))))
	})
	It("says what to do about what needs one", limit, func(ctx SpecContext) {
		for _, args := range [][]string{{"ls"}, {"create"}, {"kill", *id}} {
			out := deaf(ctx, args...)
			Expect(out.Code).To(Equal(4), "%v", args)
			Expect(out.Stderr).To(MatchRegexp(`^qs: [^\n]*/no/such/podman\.sock[^\n]*\nhint: [^\n]+\n`), "%v", args)
		}
		Expect(deaf(ctx, "run", "true").Code).To(Equal(125))
		Expect(deaf(ctx, "doctor").Code).NotTo(BeZero())
	})
})
