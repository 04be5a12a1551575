package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeAttach is about processes whose output another program goes on reading,
// without a lost or a doubled byte.
func describeAttach(f *fixture) {
	Describe("attach", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		describeReplay(f, b)
		describeGaps(f, b)
		describeAttached(f, b)
	})
}

// detached starts a script that runs on without its client, under a tag.
func (b *box) detached(ctx context.Context, script string) quixand.ProcessRef {
	GinkgoHelper()
	cmd := b.Command("sh", "-c", script)
	cmd.Detach, cmd.Tag = true, fmt.Sprintf("tag %d", fresh.Add(1))
	Expect(cmd.Start(ctx)).To(Succeed())
	return quixand.ProcessRef{Tag: cmd.Tag}
}

// attached reads a process's output from an offset on to its end.
func (b *box) attached(ctx context.Context, ref quixand.ProcessRef, offset int64) (out, errs string, res *quixand.Result, err error) {
	GinkgoHelper()
	var stdout, stderr bytes.Buffer
	p, err := b.Attach(ctx, ref, &quixand.AttachOptions{Offset: offset, Stdout: &stdout, Stderr: &stderr})
	Expect(err).NotTo(HaveOccurred())
	res, err = p.Wait(ctx)
	return stdout.String(), stderr.String(), res, err
}

func describeReplay(f *fixture, b *box) {
	it("gives another program all output from the beginning", func(ctx SpecContext) {
		ref := b.detached(ctx, "echo one; echo bad >&2; sleep 0.2; echo two; exit 4")
		out, errs, res, err := f.connect(ctx, b).attached(ctx, ref, 0)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(Equal("one\ntwo\n"))
		Expect(errs).To(Equal("bad\n"))
		Expect(res.ExitCode).To(Equal(4))
	})
	it("finds a process by its id, too", func(ctx SpecContext) {
		cmd := b.Command("echo", "hello")
		cmd.Detach = true
		Expect(cmd.Start(ctx)).To(Succeed())
		out, _, _, err := f.connect(ctx, b).attached(ctx, quixand.ProcessRef{PID: cmd.Process.PID}, 0)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(Equal("hello\n"))
	})
	it("works after the process's end", func(ctx SpecContext) {
		ref := b.detached(ctx, "echo last words; exit 7")
		eventually(ctx, b.Processes).Should(BeEmpty())
		for range 2 {
			out, _, res, err := f.connect(ctx, b).attached(ctx, ref, 0)
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(Equal("last words\n"))
			Expect(res.ExitCode).To(Equal(7))
		}
	})
	it("gives only new output to those who ask for it", func(ctx SpecContext) {
		dir := b.dir(ctx)
		ref := b.detached(ctx, "echo old; touch "+dir+"/said; until [ -e "+dir+"/go ]; do sleep 0.01; done; echo new")
		eventually(ctx, func() (bool, error) { return b.Files.Exists(ctx, dir+"/said") }).Should(BeTrue())
		var out bytes.Buffer
		p, err := b.Attach(ctx, ref, &quixand.AttachOptions{Offset: quixand.FromNow, Stdout: &out})
		Expect(err).NotTo(HaveOccurred())
		b.write(ctx, dir+"/go", "")
		Expect(p.Wait(ctx)).To(HaveField("ExitCode", 0))
		Expect(out.String()).To(Equal("new\n"))
	})
	it("goes on where one that broke off had come to, whenever that was", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
		var want strings.Builder
		for i := range 20000 {
			fmt.Fprintln(&want, i)
		}
		for cut := range 20 {
			ref := b.detached(ctx, "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done")
			first, offset := f.connect(ctx, b).readSome(ctx, ref, int64(cut*cut*250))
			rest, _, res, err := f.connect(ctx, b).attached(ctx, ref, offset)
			Expect(err).NotTo(HaveOccurred())
			Expect(res.ExitCode).To(BeZero())
			Expect(first+rest == want.String()).To(BeTrue(), "cut after %d bytes", offset)
		}
	})
	it("counts stdout and stderr together", func(ctx SpecContext) {
		ref := b.detached(ctx, "echo 12345; sleep 0.1; echo 67890 >&2; sleep 0.1; echo abcde")
		eventually(ctx, b.Processes).Should(BeEmpty())
		out, errs, _, err := b.attached(ctx, ref, 9)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(Equal("abcde\n"))
		Expect(errs).To(Equal("90\n"))
	})
	it("gives each of many programs everything", func(ctx SpecContext) {
		ref := b.detached(ctx, "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done")
		inParallel(10, func(int) {
			out, _, _, err := b.attached(ctx, ref, 0)
			Expect(err).NotTo(HaveOccurred())
			Expect(strings.Count(out, "\n")).To(Equal(5000))
			Expect(out).To(HaveSuffix("line 4999\n"))
		})
	})
}

// readSome attaches, takes at least n bytes, breaks off in whatever moment that
// is, and returns what was delivered and the offset behind it.
func (b *box) readSome(ctx context.Context, ref quixand.ProcessRef, n int64) (string, int64) {
	GinkgoHelper()
	reading, stop := context.WithCancel(ctx)
	w := &stoppingWriter{after: n, stop: stop}
	p, err := b.Attach(reading, ref, &quixand.AttachOptions{Stdout: w})
	Expect(err).NotTo(HaveOccurred())
	_, err = p.Wait(reading)
	Expect(err).To(Or(BeNil(), MatchError(context.Canceled)))
	stop()
	Expect(p.Offset()).To(BeEquivalentTo(w.Len()))
	return w.String(), p.Offset()
}

type stoppingWriter struct {
	bytes.Buffer
	after int64
	stop  func()
}

func (w *stoppingWriter) Write(b []byte) (int, error) {
	n, err := w.Buffer.Write(b)
	if int64(w.Len()) >= w.after {
		w.stop()
	}
	return n, err
}

func describeGaps(f *fixture, b *box) {
	const much = 64 << 20
	it("says which bytes are no longer there", SpecTimeout(time.Minute), func(ctx SpecContext) {
		ref := b.detached(ctx, fmt.Sprintf("head -c %d /dev/zero; echo; echo the end", much))
		eventually(ctx, b.Processes).WithTimeout(40 * time.Second).Should(BeEmpty())
		out, _, res, err := f.connect(ctx, b).attached(ctx, ref, 0)
		var lost *quixand.OutputLostError
		Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
		Expect(lost.Offset).To(BeZero())
		Expect(lost.Lost + int64(len(out))).To(BeEquivalentTo(much + len("\nthe end\n")))
		Expect(out).To(HaveSuffix("\x00\nthe end\n"))
		Expect(res.ExitCode).To(BeZero())
	})
	it("loses nothing for a reader that keeps up", SpecTimeout(time.Minute), func(ctx SpecContext) {
		dir := b.dir(ctx)
		ref := b.detached(ctx, fmt.Sprintf("until [ -e %s/go ]; do sleep 0.01; done; head -c %d /dev/zero", dir, much))
		n := new(countingWriter)
		p, err := b.Attach(ctx, ref, &quixand.AttachOptions{Stdout: n})
		Expect(err).NotTo(HaveOccurred())
		b.write(ctx, dir+"/go", "")
		_, err = p.Wait(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(n.bytes).To(BeEquivalentTo(much))
	})
	it("refuses an offset that nothing can have", func(ctx SpecContext) {
		ref := b.detached(ctx, "echo x")
		for _, offset := range []int64{-2, 1000} {
			_, err := b.Attach(ctx, ref, &quixand.AttachOptions{Offset: offset})
			Expect(err).To(failAs(quixand.ErrInvalid), "%d", offset)
		}
	})
}

func describeAttached(f *fixture, b *box) {
	it("lets other programs type", func(ctx SpecContext) {
		cmd := b.Command("cat")
		cmd.Detach, cmd.Tag, cmd.OpenStdin = true, "typed at", true
		Expect(cmd.Start(ctx)).To(Succeed())
		out := gbytes.NewBuffer()
		p, err := f.connect(ctx, b).Attach(ctx, quixand.ProcessRef{Tag: "typed at"}, &quixand.AttachOptions{Stdout: out})
		Expect(err).NotTo(HaveOccurred())
		Expect(p.WriteStdin(ctx, []byte("hello"))).To(Succeed())
		eventually(ctx, out).Should(gbytes.Say("hello"))
		Expect(p.CloseStdin(ctx)).To(Succeed())
		Expect(p.Wait(ctx)).To(HaveField("ExitCode", 0))
	})
	it("lets other programs kill", func(ctx SpecContext) {
		ref := b.detached(ctx, "exec sleep 1000")
		p, err := f.connect(ctx, b).Attach(ctx, ref, nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(p.Kill(ctx)).To(Succeed())
		Expect(p.Wait(ctx)).To(HaveField("ExitCode", -1))
	})
	it("does not disturb the process when it ends", func(ctx SpecContext) {
		dir := b.dir(ctx)
		ref := b.detached(ctx, "until [ -e "+dir+"/go ]; do sleep 0.01; done; echo alive")
		attached, leave := context.WithCancel(ctx)
		p, err := b.Attach(attached, ref, &quixand.AttachOptions{Stdout: io.Discard})
		Expect(err).NotTo(HaveOccurred())
		leave()
		_, err = p.Wait(attached)
		Expect(err).To(MatchError(context.Canceled))
		b.write(ctx, dir+"/go", "")
		out, _, _, err := b.attached(ctx, ref, 0)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(Equal("alive\n"))
	})
	it("does not find what was never started", func(ctx SpecContext) {
		for _, ref := range []quixand.ProcessRef{{PID: 4_000_000}, {Tag: "no such tag"}} {
			_, err := b.Attach(ctx, ref, nil)
			Expect(err).To(failAs(quixand.ErrNotFound))
		}
		_, err := b.Attach(ctx, quixand.ProcessRef{}, nil)
		Expect(err).To(failAs(quixand.ErrInvalid))
	})
	it("does not find what was not started through the agent", needs(Isolation), func(ctx SpecContext) {
		_, err := b.Attach(ctx, quixand.ProcessRef{PID: 1}, nil)
		Expect(err).To(failAs(quixand.ErrNotFound))
	})
}
