package contract

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/quixand/quixand/pkg/quixand"
)

// describePTY is about commands that have a terminal.
func describePTY(f *fixture) {
	Describe("PTY", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		describeScreen(b)
		describeKeys(b)
		describeHangUp(b)
		describeManyTerminals(f, b)
	})
}

func describeScreen(b *box) {
	it("is a terminal of the size that is asked for", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", "tty && stty size"}, Cols: 132, Rows: 43})
		eventually(ctx, t.out).Should(gbytes.Say(`/dev/pts/\d+\r\n43 132\r\n`))
		t.expectExit(ctx, 0)
	})
	it("has 80 columns and 24 rows unless told", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"stty", "size"}})
		eventually(ctx, t.out).Should(gbytes.Say(`24 80\r\n`))
		t.expectExit(ctx, 0)
	})
	it("says what it is in TERM", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", `echo "[$TERM] [$MINE]"; pwd`}, Env: map[string]string{"MINE": "x"}})
		eventually(ctx, t.out).Should(gbytes.Say(`\[.+\] \[x\]\r\n%s\r\n`, b.Workdir()))
	})
	it("is where a login shell starts when no command is named", func(ctx SpecContext) {
		t := b.terminal(ctx, nil)
		t.typed("echo $((6*7)) on $(tty)\r")
		eventually(ctx, t.out).Should(gbytes.Say(`42 on /dev/pts/\d+`))
		t.typed("exit 5\r")
		t.expectExit(ctx, 5)
	})
	it("tells its process of a new size", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{
			"sh", "-c", "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done",
		}})
		eventually(ctx, t.out).Should(gbytes.Say("ready"))
		Expect(t.Resize(ctx, 100, 50)).To(Succeed())
		eventually(ctx, t.out).Should(gbytes.Say(`50 100\r\n`))
		t.expectExit(ctx, 0)
	})
	it("refuses a size that is none", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"cat"}})
		for _, size := range [][2]int{{-1, 24}, {80, -1}, {1 << 16, 24}, {80, 1 << 16}} {
			Expect(t.Resize(ctx, size[0], size[1])).To(failAs(quixand.ErrInvalid), "%v", size)
		}
		Expect(t.Close()).To(Succeed())
	})
	it("carries characters of several bytes and control sequences as they are", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"printf", `\033[31mé漢🦉\033[0m\007`}})
		eventually(ctx, t.out).Should(gbytes.Say(`\x1b\[31mé漢🦉\x1b\[0m\x07`))
	})
	it("carries much output in order", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done"}})
		t.expectExit(ctx, 0)
		lines := strings.Split(strings.TrimSuffix(string(t.out.Contents()), "\r\n"), "\r\n")
		Expect(lines).To(HaveLen(20000))
		for i, line := range lines {
			Expect(line == fmt.Sprint(i)).To(BeTrue(), "line %d is %q", i, line)
		}
	})
}

func describeKeys(b *box) {
	it("echoes what is typed and hands it over by lines", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", `read -r line; echo "got $line"`}})
		t.typed("hello\r")
		eventually(ctx, t.out).Should(gbytes.Say(`hello\r\ngot hello\r\n`))
		t.expectExit(ctx, 0)
	})
	it("interrupts by Ctrl-C", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.01; done"}})
		eventually(ctx, t.out).Should(gbytes.Say("ready"))
		t.typed("\x03")
		eventually(ctx, t.out).Should(gbytes.Say("caught"))
		t.expectExit(ctx, 3)
	})
	it("ends its input by Ctrl-D", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"cat"}})
		t.typed("x\r\x04")
		t.expectExit(ctx, 0)
	})
	it("stops and continues jobs by Ctrl-Z", func(ctx SpecContext) {
		sleep := nap()
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-i"}, Env: map[string]string{"PS1": "> "}})
		t.typed(sleep + "\r")
		eventually(ctx, func() []process { return b.commands(ctx, sleep) }).Should(HaveLen(1))
		t.typed("\x1a")
		eventually(ctx, func() string { return b.commands(ctx, sleep)[0].state }).Should(Equal("T"))
		t.typed("kill -9 %1; exit 0\r")
		Expect(t.Close()).To(Succeed())
	})
	it("takes a large paste", SpecTimeout(time.Minute), func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", "stty raw -echo; echo ready; head -c 1048576 | sha256sum"}})
		eventually(ctx, t.out).Should(gbytes.Say("ready"))
		paste := pattern(1 << 20)
		t.typed(string(paste))
		eventually(ctx, t.out).WithTimeout(30 * time.Second).Should(gbytes.Say(sum(paste)))
		t.expectExit(ctx, 0)
	})
}

func describeHangUp(b *box) {
	it("hangs up when it is closed", func(ctx SpecContext) {
		sleep := nap()
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", "echo ready; " + sleep + " & " + sleep}})
		eventually(ctx, t.out).Should(gbytes.Say("ready"))
		Expect(t.Close()).To(Succeed())
		Expect(t.Close()).To(Succeed())
		eventually(ctx, func() []process { return b.commands(ctx, sleep) }).Should(BeEmpty())
	})
	it("hangs up with its context", func(ctx SpecContext) {
		sleep := nap()
		open, stop := context.WithCancel(ctx)
		t := b.terminal(open, &quixand.PTYOptions{Command: []string{"sh", "-c", "trap '' HUP; echo ready; " + sleep}})
		eventually(ctx, t.out).Should(gbytes.Say("ready"))
		stop()
		eventually(ctx, func() []process { return b.commands(ctx, sleep) }).Should(BeEmpty())
	})
	it("tells that a signal ended its process", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", "kill -KILL $$"}})
		Expect(t.Wait(ctx)).To(HaveField("ExitCode", -1))
	})
	it("does not hang up on a process that has closed it and goes on", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", "exec <&- >&- 2>&-; sleep 0.2; exit 3"}})
		t.expectExit(ctx, 3)
	})
}

func describeManyTerminals(f *fixture, b *box) {
	it("shows another program what it shows", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", "echo ready; read -r x; echo got $x"}, Tag: "seen twice"})
		eventually(ctx, t.out).Should(gbytes.Say("ready"))
		out := gbytes.NewBuffer()
		_, err := f.connect(ctx, b).Attach(ctx, quixand.ProcessRef{Tag: "seen twice"}, &quixand.AttachOptions{Stdout: out})
		Expect(err).NotTo(HaveOccurred())
		t.typed("it\r")
		eventually(ctx, out).Should(gbytes.Say(`ready\r\n(?s:.*)got it`))
		t.expectExit(ctx, 0)
	})
	it("is given to twenty at once", func(ctx SpecContext) {
		inParallel(20, func(i int) {
			t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", `read -r x; echo "got $x"`}})
			t.typed(fmt.Sprintf("number %d\r", i))
			eventually(ctx, t.out).Should(gbytes.Say("got number %d\r\n", i))
			t.expectExit(ctx, 0)
		})
	})
}

// terminal is a PTY whose output is collected.
type terminal struct {
	*quixand.PTY
	out  *gbytes.Buffer
	read sync.WaitGroup
}

// terminal opens a PTY that is closed with the case.
func (b *box) terminal(ctx context.Context, opts *quixand.PTYOptions) *terminal {
	GinkgoHelper()
	pty, err := b.PTY(ctx, opts)
	Expect(err).NotTo(HaveOccurred())
	t := &terminal{PTY: pty, out: gbytes.NewBuffer()}
	t.read.Go(func() { _, _ = io.Copy(t.out, pty) })
	DeferCleanup(func() {
		Expect(pty.Close()).To(Succeed())
		t.read.Wait()
	})
	return t
}

func (t *terminal) typed(keys string) {
	GinkgoHelper()
	n, err := io.WriteString(t, keys)
	Expect(err).NotTo(HaveOccurred())
	Expect(n).To(Equal(len(keys)))
}

func (t *terminal) expectExit(ctx context.Context, code int) {
	GinkgoHelper()
	Expect(t.Wait(ctx)).To(HaveField("ExitCode", code))
	t.read.Wait()
}
