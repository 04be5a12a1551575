package contract

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing/iotest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeStreams is about the bytes that go in and out of commands: each of
// them, once, in order, and no faster than they are taken.
func describeStreams(f *fixture) {
	Describe("streams", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		describeStdin(b)
		describeOutput(b)
		describeVolume(b)
	})
}

func describeStdin(b *box) {
	it("ends at once where none is given", func(ctx SpecContext) {
		Expect(b.sh(ctx, "wc -c")).To(Equal("0"))
	})
	for _, input := range []struct {
		what string
		data []byte
	}{
		{"empty input", nil},
		{"text", []byte("one\ntwo\n")},
		{"every byte", everyByte()},
		{"a control sequence that would end a terminal's input", []byte("a\x04b\x03c")},
		{"16 MiB", pattern(16 << 20)},
	} {
		it("reads "+input.what, func(ctx SpecContext) {
			cmd := b.Command("sha256sum")
			cmd.Stdin = bytes.NewReader(input.data)
			Expect(cmd.Output(ctx)).To(HavePrefix(sum(input.data)))
		})
	}
	it("is a pipe for those who want one", func(ctx SpecContext) {
		cmd := b.Command("sh", "-c", `while read -r line; do echo "got $line"; done; echo end`)
		out := gbytes.NewBuffer()
		cmd.Stdout = out
		in, err := cmd.StdinPipe()
		Expect(err).NotTo(HaveOccurred())
		Expect(cmd.Start(ctx)).To(Succeed())
		for _, word := range []string{"one", "two"} {
			fmt.Fprintln(in, word)
			eventually(ctx, out).Should(gbytes.Say("got " + word + "\n"))
		}
		Expect(in.Close()).To(Succeed())
		Expect(cmd.Wait()).To(Succeed())
		Expect(out).To(gbytes.Say("end\n"))
	})
	it("is written and closed through the process", func(ctx SpecContext) {
		cmd := b.Command("cat")
		out := gbytes.NewBuffer()
		cmd.Stdout, cmd.OpenStdin = out, true
		Expect(cmd.Start(ctx)).To(Succeed())
		Expect(cmd.Process.WriteStdin(ctx, []byte("typed"))).To(Succeed())
		eventually(ctx, out).Should(gbytes.Say("typed"))
		Expect(cmd.Process.CloseStdin(ctx)).To(Succeed())
		Expect(cmd.Process.CloseStdin(ctx)).To(Or(Succeed(), failAs(quixand.ErrNotFound)))
		Expect(cmd.Wait()).To(Succeed())
	})
	it("may be left unread", func(ctx SpecContext) {
		cmd := b.Command("true")
		cmd.Stdin = noise(64 << 20)
		Expect(cmd.Run(ctx)).To(Succeed())
	})
	it("reports a reader's error", func(ctx SpecContext) {
		broken := errors.New("the reader broke")
		cmd := b.Command("cat")
		cmd.Stdin = io.MultiReader(strings.NewReader("before"), iotest.ErrReader(broken))
		_, err := cmd.Output(ctx)
		Expect(err).To(MatchError(broken))
	})
	it("does not keep a command from ending", func(ctx SpecContext) {
		cmd := b.Command("sh", "-c", "exit 5")
		never, w := io.Pipe()
		defer w.Close()
		cmd.Stdin = never
		err := cmd.Run(ctx)
		Expect(err).To(MatchError("exit status 5"))
	})
}

func describeOutput(b *box) {
	it("keeps stdout and stderr apart", func(ctx SpecContext) {
		res, err := b.Shell(ctx, "for i in 1 2 3; do echo out$i; echo err$i >&2; done")
		Expect(err).NotTo(HaveOccurred())
		Expect(res.Text()).To(Equal("out1\nout2\nout3\n"))
		Expect(string(res.Stderr)).To(Equal("err1\nerr2\nerr3\n"))
	})
	it("mixes them in the order of their coming for those who ask", func(ctx SpecContext) {
		cmd := b.Command("sh", "-c", "for i in 1 2 3; do echo out$i; sleep 0.1; echo err$i >&2; sleep 0.1; done")
		Expect(cmd.CombinedOutput(ctx)).To(BeEquivalentTo("out1\nerr1\nout2\nerr2\nout3\nerr3\n"))
	})
	it("changes no byte", func(ctx SpecContext) {
		cmd := b.Command("cat")
		cmd.Stdin = bytes.NewReader(everyByte())
		Expect(cmd.Output(ctx)).To(Equal(everyByte()))
	})
	it("puts a character together that came in two pieces", func(ctx SpecContext) {
		cmd := b.Command("sh", "-c", `printf 'a\303'; sleep 0.2; printf '\251\360\237'; sleep 0.2; printf '\246\211z'`)
		Expect(cmd.Output(ctx)).To(BeEquivalentTo("aé🦉z"))
	})
	it("comes while the command runs", func(ctx SpecContext) {
		cmd, out := b.running(ctx, "echo ready; exec sleep 1000")
		Expect(out.Closed()).To(BeFalse())
		Expect(cmd.Process.Kill(ctx)).To(Succeed())
		Expect(cmd.Wait()).NotTo(Succeed())
	})
	it("comes through pipes", func(ctx SpecContext) {
		cmd := b.Command("sh", "-c", "echo out; echo err >&2")
		stdout, err := cmd.StdoutPipe()
		Expect(err).NotTo(HaveOccurred())
		stderr, err := cmd.StderrPipe()
		Expect(err).NotTo(HaveOccurred())
		Expect(cmd.Start(ctx)).To(Succeed())
		errs := make(chan []byte, 1)
		go func() {
			text, _ := io.ReadAll(stderr)
			errs <- text
		}()
		Expect(io.ReadAll(stdout)).To(BeEquivalentTo("out\n"))
		eventually(ctx, errs).Should(Receive(BeEquivalentTo("err\n")))
		Expect(cmd.Wait()).To(Succeed())
	})
	it("may go to one writer that is never called twice at once", func(ctx SpecContext) {
		w := &exclusiveWriter{}
		cmd := b.Command("sh", "-c", "i=0; while [ $i -lt 500 ]; do echo out; echo err >&2; i=$((i+1)); done")
		cmd.Stdout, cmd.Stderr = w, w
		Expect(cmd.Run(ctx)).To(Succeed())
		Expect(w.written).To(Equal(4000))
		Expect(w.broken.Load()).To(BeFalse())
	})
	it("ends the command when its writer fails", func(ctx SpecContext) {
		broken := errors.New("the writer broke")
		cmd := b.Command("sh", "-c", "while :; do echo output; done")
		cmd.Stdout = failingWriter{broken}
		Expect(cmd.Run(ctx)).To(MatchError(broken))
		eventually(ctx, b.Processes).Should(BeEmpty())
	})
	it("may be discarded", func(ctx SpecContext) {
		Expect(b.Command("sh", "-c", "head -c 10000000 /dev/zero; echo x >&2").Run(ctx)).To(Succeed())
	})
}

func describeVolume(b *box) {
	const much = 256 << 20
	it("carries 256 MiB with flat memory", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
		h, n := sha256.New(), new(countingWriter)
		cmd := b.Command("sh", "-c", fmt.Sprintf("head -c %d /dev/zero", much))
		cmd.Stdout = io.MultiWriter(h, n)
		grown := memoryOf(func() { Expect(cmd.Run(ctx)).To(Succeed()) })
		Expect(n.bytes).To(BeEquivalentTo(much))
		Expect(grown).To(BeNumerically("<", 64<<20))
	})
	it("waits for a slow reader", func(ctx SpecContext) {
		dir := b.dir(ctx)
		gate := newGate()
		cmd := b.Command("sh", "-c", "head -c 67108864 /dev/zero; touch "+dir+"/done")
		cmd.Stdout = gate
		Expect(cmd.Start(ctx)).To(Succeed())
		Consistently(func() (bool, error) { return b.Files.Exists(ctx, dir+"/done") }).WithContext(ctx).
			WithTimeout(time.Second).Should(BeFalse())
		gate.release()
		Expect(cmd.Wait()).To(Succeed())
		Expect(gate.bytes).To(BeEquivalentTo(64 << 20))
		Expect(b.Files.Exists(ctx, dir+"/done")).To(BeTrue())
	})
	it("does not let one slow reader hold up another", func(ctx SpecContext) {
		gate := newGate()
		slow := b.Command("head", "-c", "67108864", "/dev/zero")
		slow.Stdout = gate
		Expect(slow.Start(ctx)).To(Succeed())
		for range 20 {
			Expect(b.sh(ctx, "echo quick")).To(Equal("quick"))
		}
		gate.release()
		Expect(slow.Wait()).To(Succeed())
	})
	it("keeps no more of it than MaxOutput", SpecTimeout(time.Minute), func(ctx SpecContext) {
		_, err := b.Command("head", "-c", fmt.Sprint(quixand.MaxOutput+1), "/dev/zero").Output(ctx)
		Expect(err).To(failAs(quixand.ErrExhausted))
		_, err = b.Run(ctx, "cat", "/dev/zero")
		Expect(err).To(failAs(quixand.ErrExhausted))
		eventually(ctx, b.Processes).Should(BeEmpty())
	})
	it("comes whole from 200 commands at once", SpecTimeout(time.Minute), func(ctx SpecContext) {
		inParallel(200, func(i int) {
			res, err := b.Shell(ctx, fmt.Sprintf("i=0; while [ $i -lt 100 ]; do echo %d; i=$((i+1)); done; echo %d >&2; exit %d", i, i, i))
			Expect(err).NotTo(HaveOccurred())
			Expect(res.Text()).To(Equal(strings.Repeat(fmt.Sprintln(i), 100)))
			Expect(string(res.Stderr)).To(Equal(fmt.Sprintln(i)))
			Expect(res.ExitCode).To(Equal(i))
		})
	})
}

// gatedWriter takes nothing until it is released.
type gatedWriter struct {
	open    chan struct{}
	release func()
	bytes   int64
}

// newGate makes one that is released with the case, at the latest.
func newGate() *gatedWriter {
	w := &gatedWriter{open: make(chan struct{})}
	w.release = sync.OnceFunc(func() { close(w.open) })
	DeferCleanup(w.release)
	return w
}

func (w *gatedWriter) Write(b []byte) (int, error) {
	<-w.open
	w.bytes += int64(len(b))
	return len(b), nil
}

type countingWriter struct{ bytes int64 }

func (w *countingWriter) Write(b []byte) (int, error) {
	w.bytes += int64(len(b))
	return len(b), nil
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// exclusiveWriter notices calls that overlap.
type exclusiveWriter struct {
	busy, broken atomic.Bool
	written      int
}

func (w *exclusiveWriter) Write(b []byte) (int, error) {
	if !w.busy.CompareAndSwap(false, true) {
		w.broken.Store(true)
	}
	w.written += len(b)
	w.busy.Store(false)
	return len(b), nil
}
