package contract

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeCommands is about what a command gets to start with, and how its end
// is told.
func describeCommands(f *fixture) {
	Describe("commands", Ordered, ContinueOnFailure, func() {
		b := f.shared(&quixand.Options{Env: map[string]string{"QS_BOX": "box", "QS_BOTH": "box"}})

		describeExit(b)
		describeStarting(b)
		describeIdentity(b)
		describeListed(b)
	})
}

func describeExit(b *box) {
	it("returns every exit status from 0 to 255 as a result", func(ctx SpecContext) {
		inParallel(256, func(code int) {
			res, err := b.Run(ctx, "sh", "-c", fmt.Sprintf("exit %d", code))
			Expect(err).NotTo(HaveOccurred())
			Expect(res.ExitCode).To(Equal(code))
			Expect(res.Signal).To(BeZero())
			Expect(res.Success()).To(Equal(code == 0))
		})
	})
	it("returns an exit status as an error where os/exec does", func(ctx SpecContext) {
		Expect(b.Command("true").Run(ctx)).To(Succeed())
		err := b.Command("sh", "-c", "echo out; echo err >&2; exit 3").Run(ctx)
		var exit *quixand.ExitError
		Expect(errors.As(err, &exit)).To(BeTrue())
		Expect(exit.Result.ExitCode).To(Equal(3))
		Expect(err).To(MatchError("exit status 3"))
	})
	for _, sig := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGKILL,
		syscall.SIGSEGV, syscall.SIGUSR1, syscall.SIGPIPE, syscall.SIGTERM,
	} {
		it(fmt.Sprintf("tells that signal %d (%v) ended a command", int(sig), sig), func(ctx SpecContext) {
			res, err := b.Run(ctx, "sh", "-c", fmt.Sprintf("ulimit -c 0; kill -%d $$; sleep 1000", int(sig)))
			Expect(err).NotTo(HaveOccurred())
			Expect(res.ExitCode).To(Equal(-1))
			Expect(res.Signal).To(Equal(sig))
			Expect(res.Success()).To(BeFalse())
		})
	}
	it("returns 127 for a command that is not there", func(ctx SpecContext) {
		for _, name := range []string{"quixand-no-such-command", "/no/such/path", "./missing"} {
			res, err := b.Run(ctx, name)
			Expect(err).NotTo(HaveOccurred(), name)
			Expect(res.ExitCode).To(Equal(127), name)
			Expect(string(res.Stderr)).To(ContainSubstring(name))
		}
	})
	it("returns 126 for a file that cannot be executed", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, dir+"/script", "#!/bin/sh\n")
		for _, name := range []string{dir + "/script", dir} {
			res, err := b.Run(ctx, name)
			Expect(err).NotTo(HaveOccurred(), name)
			Expect(res.ExitCode).To(Equal(126), name)
			Expect(string(res.Stderr)).To(ContainSubstring(name))
		}
	})
	it("runs a script by its first line", func(ctx SpecContext) {
		dir := b.dir(ctx)
		_, err := b.Files.WriteFrom(ctx, dir+"/script", strings.NewReader("#!/bin/sh\necho \"$1\"\n"), &quixand.WriteOptions{Mode: 0o755})
		Expect(err).NotTo(HaveOccurred())
		res, err := b.Run(ctx, dir+"/script", "argument")
		Expect(err).NotTo(HaveOccurred())
		Expect(res.Text()).To(Equal("argument\n"))
	})
	it("waits for output that outlives the command", func(ctx SpecContext) {
		Expect(b.sh(ctx, "(sleep 0.3; echo late) & echo early")).To(Equal("early\nlate"))
	})
}

func describeStarting(b *box) {
	it("hands over arguments as they are", func(ctx SpecContext) {
		args := append([]string{"", "*", "$HOME", "a\nb", "-n", "--", strings.Repeat("x", 100_000)}, oddNames...)
		var want strings.Builder
		for _, a := range args {
			fmt.Fprintf(&want, "%q\n", a)
		}
		Expect(b.probed(ctx, append([]string{"args"}, args...)...)).To(Equal(want.String()))
	})
	it("reads no shell into a command", func(ctx SpecContext) {
		res, err := b.Run(ctx, "echo", "$(id); `id` && id | id > /tmp/x")
		Expect(err).NotTo(HaveOccurred())
		Expect(res.Text()).To(Equal("$(id); `id` && id | id > /tmp/x\n"))
	})
	it("adds a command's environment to the sandbox's, and lets it win", func(ctx SpecContext) {
		cmd := b.Command("sh", "-c", `echo "$QS_BOX $QS_BOTH $QS_MINE"`)
		cmd.Env = map[string]string{"QS_BOTH": "mine", "QS_MINE": "a b\nc"}
		Expect(cmd.Output(ctx)).To(BeEquivalentTo("box mine a b\nc\n"))
		Expect(b.sh(ctx, `echo "$QS_BOTH${QS_MINE-}"`)).To(Equal("box"))
	})
	it("gives HOME, USER, LOGNAME and PATH", func(ctx SpecContext) {
		Expect(b.sh(ctx, `[ -d "$HOME" ] && [ -w "$HOME" ] && [ "$USER" = "$(id -un)" ] && [ "$LOGNAME" = "$USER" ] && [ -n "$PATH" ] && echo yes`)).
			To(Equal("yes"))
	})
	it("starts in the directory that is asked for", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "mkdir "+dir+"/sub")
		for asked, want := range map[string]string{
			"": b.Workdir(), dir: dir, strings.TrimPrefix(dir, b.Workdir()+"/") + "/sub": dir + "/sub", "~": b.sh(ctx, "echo ~"),
		} {
			cmd := b.Command("pwd")
			cmd.Dir = asked
			Expect(cmd.Output(ctx)).To(BeEquivalentTo(want+"\n"), asked)
		}
	})
	it("refuses a directory that is none", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, dir+"/file", "x")
		for _, bad := range []string{dir + "/missing", dir + "/file"} {
			cmd := b.Command("pwd")
			cmd.Dir = bad
			Expect(cmd.Run(ctx)).To(Or(failAs(quixand.ErrInvalid), failAs(quixand.ErrNotFound)), bad)
		}
	})
	it("refuses what neither a kernel nor the protocol takes", func(ctx SpecContext) {
		zero := b.Command("echo", "a\x00b")
		Expect(zero.Run(ctx)).To(failAs(quixand.ErrInvalid))
		Expect(b.Command("echo", "\xff is no UTF-8").Run(ctx)).To(failAs(quixand.ErrInvalid))
		env := b.Command("true")
		env.Env = map[string]string{"A=B": "x"}
		Expect(env.Run(ctx)).To(failAs(quixand.ErrInvalid))
		Expect(b.Command("").Run(ctx)).To(failAs(quixand.ErrInvalid))
	})
	it("starts a command once", func(ctx SpecContext) {
		cmd := b.Command("true")
		Expect(cmd.Run(ctx)).To(Succeed())
		Expect(cmd.Run(ctx)).To(failAs(quixand.ErrConflict))
	})
	it("gives a command no descriptors but three", needs(Isolation), func(ctx SpecContext) {
		// ls holds one more while it reads the directory.
		Expect(b.sh(ctx, "exec ls /proc/self/fd")).To(Equal("0\n1\n2\n3"))
	})
	// Without isolation the agent has the signals of whoever started the tests.
	it("gives a command signals as they are by default", needs(Isolation), func(ctx SpecContext) {
		Expect(b.probed(ctx, "status")).To(MatchRegexp(`(?m)^SigIgn:\t0+$`))
		Expect(b.probed(ctx, "status")).To(MatchRegexp(`(?m)^SigBlk:\t0+$`))
	})
}

func describeIdentity(b *box) {
	it("runs as root for those who ask", needs(RootUser), func(ctx SpecContext) {
		cmd := b.Command("sh", "-c", "id -u; echo $HOME $USER")
		cmd.User = "root"
		Expect(cmd.Output(ctx)).To(BeEquivalentTo("0\n/root root\n"))
	})
	it("refuses a user that does not exist", needs(Isolation), func(ctx SpecContext) {
		cmd := b.Command("id")
		cmd.User = "nobody-of-this-name"
		Expect(cmd.Run(ctx)).To(Or(failAs(quixand.ErrInvalid), failAs(quixand.ErrNotFound), failAs(quixand.ErrPermission)))
	})
}

func describeListed(b *box) {
	it("lists what runs, with how it was started", func(ctx SpecContext) {
		dir := b.dir(ctx)
		cmd := b.Command("sleep", "1000")
		cmd.Tag, cmd.Dir, cmd.Env = "my tag", dir, map[string]string{"A": "b"}
		running, stop := context.WithCancel(ctx)
		Expect(cmd.Start(running)).To(Succeed())
		Expect(b.Processes(ctx)).To(ConsistOf(SatisfyAll(
			HaveField("PID", cmd.Process.PID), HaveField("Tag", "my tag"), HaveField("Cmd", "sleep"),
			HaveField("Args", []string{"1000"}), HaveField("Dir", dir), HaveField("Env", HaveKeyWithValue("A", "b")),
		)))
		Expect(b.sh(ctx, fmt.Sprintf("kill -0 %d && echo there", cmd.Process.PID))).To(Equal("there"))
		stop()
		Expect(cmd.Wait()).To(MatchError(context.Canceled))
		eventually(ctx, b.Processes).Should(BeEmpty())
	})
	it("counts what runs in its status", func(ctx SpecContext) {
		cmd, _ := b.running(ctx, "echo ready; exec sleep 1000")
		Expect(b.Status(ctx)).To(SatisfyAll(HaveField("Processes", 1), HaveField("InFlight", BeNumerically(">=", 1))))
		Expect(cmd.Process.Kill(ctx)).To(Succeed())
		Expect(cmd.Wait()).NotTo(Succeed())
	})
	it("measures what the sandbox uses", func(ctx SpecContext) {
		m, err := b.Metrics(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(m.CPUCount).To(BeNumerically(">=", 1))
		Expect(m.MemoryTotal).To(BeNumerically(">", 0))
		Expect(m.MemoryUsed).To(And(BeNumerically(">", 0), BeNumerically("<=", m.MemoryTotal)))
		Expect(m.DiskTotal).To(BeNumerically(">", 0))
		Expect(m.Time).To(BeTemporally("~", time.Now(), time.Minute))
	})
}
