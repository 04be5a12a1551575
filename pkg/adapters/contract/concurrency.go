package contract

import (
	"fmt"
	"io"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeConcurrency does everything at once, for the race detector and for
// answers that reach the wrong caller.
func describeConcurrency(f *fixture) {
	Describe("concurrency", func() {
		it("serves commands, files, terminals and ports of one sandbox at once", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			port := b.serve(ctx, "127.0.0.1:0", "echo")
			work := []func(i int){
				func(i int) { Expect(b.sh(ctx, fmt.Sprintf("echo %d", i))).To(Equal(fmt.Sprint(i))) },
				func(i int) {
					name := fmt.Sprintf("file %d", i)
					b.write(ctx, name, strings.Repeat(name, 1000))
					Expect(b.read(ctx, name)).To(Equal(strings.Repeat(name, 1000)))
				},
				func(i int) {
					conn, err := b.DialContext(ctx, "tcp", address(port))
					Expect(err).NotTo(HaveOccurred())
					defer conn.Close()
					Expect(echoes(conn, fmt.Sprint(i))).To(Succeed())
				},
				func(i int) {
					pty, err := b.PTY(ctx, &quixand.PTYOptions{Command: []string{"echo", fmt.Sprint(i)}})
					Expect(err).NotTo(HaveOccurred())
					defer pty.Close()
					Expect(io.ReadAll(pty)).To(BeEquivalentTo(fmt.Sprintf("%d\r\n", i)))
				},
				func(int) { Expect(b.Files.List(ctx, ".", 1)).NotTo(BeEmpty()) },
				func(int) { Expect(b.Status(ctx)).To(HaveField("ID", b.ID())) },
				func(int) { _, err := b.Processes(ctx); Expect(err).NotTo(HaveOccurred()) },
			}
			inParallel(16*len(work), func(i int) {
				for range 5 {
					work[i%len(work)](i)
				}
			})
		})
		it("serves many sandboxes of one client at once", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
			inParallel(6, func(i int) {
				b := f.create(ctx, &quixand.Options{Env: map[string]string{"NUMBER": fmt.Sprint(i)}})
				for range 20 {
					Expect(b.sh(ctx, "echo $NUMBER")).To(Equal(fmt.Sprint(i)))
				}
				Expect(b.Kill(ctx)).To(Succeed())
			})
		})
		it("serves many clients of one sandbox at once", SpecTimeout(time.Minute), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			clients := make([]*box, 8)
			for i := range clients {
				clients[i] = f.connect(ctx, b)
			}
			inParallel(len(clients), func(i int) {
				for n := range 20 {
					Expect(clients[i].sh(ctx, fmt.Sprintf("echo %d", n))).To(Equal(fmt.Sprint(n)))
				}
			})
		})
		it("lets a kill win over everything that runs", SpecTimeout(time.Minute), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			cmds := make([]*quixand.Cmd, 20)
			for i := range cmds {
				cmds[i], _ = b.running(ctx, "echo ready; while :; do echo more; done")
			}
			Expect(b.Kill(ctx)).To(Succeed())
			for _, cmd := range cmds {
				Expect(cmd.Wait()).To(Or(failAs(quixand.ErrNotFound), failAs(quixand.ErrUnavailable)))
			}
		})
	})
}
