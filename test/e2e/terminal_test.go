package e2e

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"golang.org/x/term"
)

var _ = Describe("qs on a terminal", needsEngine, Ordered, ContinueOnFailure, func() {
	id := shared()

	Describe("connect", func() {
		It("opens a shell of the terminal's size and exits as it does", limit, func(ctx SpecContext) {
			t := onTerminal(ctx, "connect", *id)
			t.types("stty size\r")
			eventually(ctx, t.out).Should(gbytes.Say(`37 111\r\n`))
			t.types("exit 9\r")
			Expect(t.wait()).To(Equal(9))
		})
		It("tells the shell when the window changes", limit, func(ctx SpecContext) {
			t := onTerminal(ctx, "connect", *id, "--", "sh", "-c", "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done")
			eventually(ctx, t.out).Should(gbytes.Say("ready"))
			Expect(pty.Setsize(t.pty, &pty.Winsize{Rows: 50, Cols: 100})).To(Succeed())
			eventually(ctx, t.out).Should(gbytes.Say(`50 100\r\n`))
			Expect(t.wait()).To(BeZero())
		})
		It("hands Ctrl-C and Ctrl-Z to the shell", limit, func(ctx SpecContext) {
			t := onTerminal(ctx, "connect", *id, "--", "sh", "-c", "trap 'echo caught' INT TSTP; echo ready; while :; do sleep 0.01; done")
			eventually(ctx, t.out).Should(gbytes.Say("ready"))
			t.types("\x03")
			eventually(ctx, t.out).Should(gbytes.Say("caught"))
			t.types("\x1a")
			eventually(ctx, t.out).Should(gbytes.Say("caught"))
			t.types("\r~.")
			t.wait()
		})
		It("sees control sequences as they are", limit, func(ctx SpecContext) {
			t := onTerminal(ctx, "connect", *id, "--", "printf", `\033[31mred\033[0m`)
			eventually(ctx, t.out).Should(gbytes.Say(`\x1b\[31mred\x1b\[0m`))
			Expect(t.wait()).To(BeZero())
		})
		It("leaves by Enter ~ . and puts the terminal back", limit, func(ctx SpecContext) {
			t := onTerminal(ctx, "connect", *id, "--", "sh", "-c", "echo ready; exec sleep 1000")
			eventually(ctx, t.out).Should(gbytes.Say("ready"))
			t.types("\r~.")
			t.wait()
			after, err := term.GetState(int(t.tty.Fd()))
			Expect(err).NotTo(HaveOccurred())
			Expect(after).To(Equal(t.before))
		})
		It("wants a terminal", limit, func(ctx SpecContext) {
			out := qs(ctx, "connect", *id)
			Expect(out.Code).To(Equal(125))
			Expect(out.Stderr).To(ContainSubstring("terminal"))
		})
	})

	Describe("is not steered by a sandbox", func() {
		const sequence = "\x1b]0;title\x07\x1b[31mred\x9b2J"
		It("through what a command prints", limit, func(ctx SpecContext) {
			t := onTerminal(ctx, "exec", *id, "--", "printf", `\033]0;title\007\033[31mred\302\2332J\n`)
			Expect(t.wait()).To(BeZero())
			Expect(string(t.out.Contents())).NotTo(MatchRegexp("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u0080-\u009f]"))
			Expect(string(t.out.Contents())).To(ContainSubstring("red"))
		})
		It("through a file that is shown", limit, func(ctx SpecContext) {
			cmd := command(ctx, "files", "write", *id, "sequence")
			cmd.Stdin = strings.NewReader(sequence)
			Expect(run(cmd).Code).To(BeZero())
			t := onTerminal(ctx, "files", "cat", *id, "sequence")
			Expect(t.wait()).To(BeZero())
			Expect(string(t.out.Contents())).NotTo(ContainSubstring("\x1b"))
			Expect(qs(ctx, "files", "cat", *id, "sequence").Stdout).To(Equal(sequence), "to a pipe all bytes go as they are")
		})
		It("through names of files", limit, func(ctx SpecContext) {
			ok(ctx, "exec", *id, "sh", "-c", `mkdir names && touch "$(printf 'names/\033[2Jx')"`)
			for _, args := range [][]string{{"files", "ls", *id, "names"}, {"files", "ls", "--long", *id, "names"}, {"files", "ls", "--json", *id, "names"}} {
				t := onTerminal(ctx, args...)
				Expect(t.wait()).To(BeZero())
				Expect(string(t.out.Contents())).NotTo(ContainSubstring("\x1b"), "%v", args)
			}
			Expect(qs(ctx, "files", "cat", *id, "names/\x1b[2Jmissing").Stderr).NotTo(ContainSubstring("\x1b"))
		})
		It("through metadata", limit, func(ctx SpecContext) {
			other := create(ctx, "--metadata", "evil=\x1b[2J")
			t := onTerminal(ctx, "status", other)
			Expect(t.wait()).To(BeZero())
			Expect(string(t.out.Contents())).NotTo(ContainSubstring("\x1b"))
		})
	})
})

// terminal is a qs on a terminal of its own.
type terminal struct {
	pty, tty *os.File
	out      *gbytes.Buffer
	cmd      *exec.Cmd
	before   *term.State
	read     chan struct{}
}

// onTerminal starts qs on a terminal of 37 rows and 111 columns.
func onTerminal(ctx context.Context, args ...string) *terminal {
	GinkgoHelper()
	master, slave, err := pty.Open()
	Expect(err).NotTo(HaveOccurred())
	Expect(pty.Setsize(master, &pty.Winsize{Rows: 37, Cols: 111})).To(Succeed())
	before, err := term.GetState(int(slave.Fd()))
	Expect(err).NotTo(HaveOccurred())
	t := &terminal{pty: master, tty: slave, out: gbytes.NewBuffer(), before: before, read: make(chan struct{})}
	t.cmd = command(ctx, args...)
	t.cmd.Stdin, t.cmd.Stdout, t.cmd.Stderr = slave, slave, slave
	// Its own session and terminal, as a shell gives them: window changes and
	// Ctrl-C then reach it.
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	Expect(t.cmd.Start()).To(Succeed())
	go func() {
		defer close(t.read)
		_, _ = io.Copy(t.out, master)
	}()
	DeferCleanup(func() {
		_ = t.cmd.Process.Kill() // it has ended, unless the case failed
		slave.Close()
		master.Close()
		<-t.read
	})
	return t
}

func (t *terminal) types(keys string) {
	GinkgoHelper()
	_, err := io.WriteString(t.pty, keys)
	Expect(err).NotTo(HaveOccurred())
}

// wait waits for the end of qs, and for all that it wrote, and returns its exit
// code.
func (t *terminal) wait() int {
	GinkgoHelper()
	_ = t.cmd.Wait() // the code says it
	// What is in the terminal's buffer is read before this mark.
	const mark = "~~ end of output ~~"
	_, err := io.WriteString(t.tty, mark)
	Expect(err).NotTo(HaveOccurred())
	Eventually(t.out).WithTimeout(20 * time.Second).Should(gbytes.Say(mark))
	return t.cmd.ProcessState.ExitCode()
}
