package contract

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"
)

// describeLeaks counts what is left after much work: on this side goroutines and
// descriptors, on the host processes, inside processes and the agent's memory.
func describeLeaks(f *fixture) {
	Describe("leaks", Serial, func() {
		it("has nothing left over after 2,000 commands", SpecTimeout(4*time.Minute), func(ctx SpecContext) {
			f.expectNoTrace(ctx, 2_000)
		})
		it("has nothing left over after 10,000 commands", Label("slow"), needs(Patience), SpecTimeout(20*time.Minute), func(ctx SpecContext) {
			f.expectNoTrace(ctx, 10_000)
		})
		it("has nothing left over after 50 cancelled commands and 50 broken transfers", SpecTimeout(time.Minute), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			b.sh(ctx, "truncate -s 1T sparse")
			before := gleak.Goroutines()
			client := f.clientAt(f.root, f.harness.New)
			sb, err := client.Connect(ctx, b.ID())
			Expect(err).NotTo(HaveOccurred())
			inParallel(50, func(int) { (&box{Sandbox: sb, f: f}).breakOff(ctx) })
			eventually(ctx, sb.Processes).Should(BeEmpty())
			Expect(client.Close()).To(Succeed()) // gives back idle connections
			eventually(ctx, gleak.Goroutines).WithTimeout(20 * time.Second).ShouldNot(gleak.HaveLeaked(before))
		})
	})
}

// trace is what work could leave behind. Idle connections are no leak, nor
// always as many: whoever did the work gives them back before the look.
type trace struct {
	Goroutines, Descriptors, OnHost, Inside int
}

func (f *fixture) expectNoTrace(ctx SpecContext, commands int) {
	GinkgoHelper()
	b := f.create(ctx, nil)
	marks := f.marks(ctx, b)
	look := func() trace {
		t := trace{Goroutines: runtime.NumGoroutine(), Descriptors: descriptors()}
		if f.has(Isolation) {
			t.Inside = len(b.processes(ctx, func(process) bool { return true }))
		}
		if f.has(Isolation) && f.has(SameKernel) {
			t.OnHost = len(hostProcesses(marks))
		}
		return t
	}
	const workers = 4
	work := func(n int) {
		client := f.clientAt(f.root, f.harness.New)
		sb, err := client.Connect(ctx, b.ID())
		Expect(err).NotTo(HaveOccurred())
		inParallel(workers, func(int) {
			for range n / workers {
				cmd := sb.Command("cat")
				cmd.Stdin = bytes.NewReader([]byte("in and out"))
				out, err := cmd.Output(ctx)
				Expect(err).NotTo(HaveOccurred())
				Expect(string(out)).To(Equal("in and out"))
			}
		})
		Expect(client.Close()).To(Succeed())
	}
	look()
	work(200) // what is made once is there from now on
	before := look()
	work(commands)
	eventually(ctx, look).WithTimeout(20*time.Second).Should(SatisfyAll(
		HaveField("Goroutines", BeNumerically("<=", before.Goroutines)),
		HaveField("Descriptors", BeNumerically("<=", before.Descriptors)),
		HaveField("OnHost", BeNumerically("<=", before.OnHost)),
		HaveField("Inside", BeNumerically("<=", before.Inside)),
	), "before: %+v", before)
}

// breakOff cancels a command that runs and a transfer that flows.
func (b *box) breakOff(ctx context.Context) {
	GinkgoHelper()
	short, stop := context.WithCancel(ctx)
	defer stop()
	cmd, _ := b.running(short, "echo ready; sleep 1000")
	rc, err := b.Files.Open(short, "sparse")
	Expect(err).NotTo(HaveOccurred())
	defer rc.Close()
	_, err = io.CopyN(io.Discard, rc, 1<<16)
	Expect(err).NotTo(HaveOccurred())
	stop()
	Expect(cmd.Wait()).To(MatchError(context.Canceled))
}
