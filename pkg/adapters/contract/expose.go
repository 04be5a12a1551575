package contract

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

func describeExpose(f *fixture, b *box) {
	it("are exposed on the host's loopback", func(ctx SpecContext) {
		l, err := b.Expose(ctx, b.serve(ctx, "127.0.0.1:0", "echo"), 0)
		Expect(err).NotTo(HaveOccurred())
		defer l.Close()
		Expect(l.Addr().(*net.TCPAddr).IP.IsLoopback()).To(BeTrue())
		inParallel(20, func(i int) {
			conn, err := net.Dial("tcp", l.Addr().String())
			Expect(err).NotTo(HaveOccurred())
			defer conn.Close()
			Expect(echoes(conn, fmt.Sprint("hello ", i))).To(Succeed())
		})
		Expect(l.Err()).NotTo(HaveOccurred())
	})
	it("are exposed with half closes", func(ctx SpecContext) {
		l, err := b.Expose(ctx, b.serve(ctx, "127.0.0.1:0", "count"), 0)
		Expect(err).NotTo(HaveOccurred())
		defer l.Close()
		conn, err := net.Dial("tcp", l.Addr().String())
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		_, err = io.WriteString(conn, "123")
		Expect(err).NotTo(HaveOccurred())
		Expect(closeWrite(conn)).To(Succeed())
		Expect(io.ReadAll(conn)).To(BeEquivalentTo("3\n"))
	})
	it("are exposed before anybody listens", func(ctx SpecContext) {
		l, err := b.Expose(ctx, 4321, 0)
		Expect(err).NotTo(HaveOccurred())
		defer l.Close()
		conn, err := net.Dial("tcp", l.Addr().String())
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		_, err = io.ReadAll(conn)
		Expect(err).To(Or(BeNil(), MatchError(ContainSubstring("reset"))))
		b.serve(ctx, "127.0.0.1:4321", "echo")
		again, err := net.Dial("tcp", l.Addr().String())
		Expect(err).NotTo(HaveOccurred())
		defer again.Close()
		Expect(echoes(again, "hello")).To(Succeed())
	})
	it("are not exposed at a port that is taken", func(ctx SpecContext) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		defer taken.Close()
		_, err = b.Expose(ctx, 80, taken.Addr().(*net.TCPAddr).Port)
		Expect(err).To(failAs(quixand.ErrExists))
	})
	it("are no longer exposed when the listener is closed", func(ctx SpecContext) {
		l, err := b.Expose(ctx, b.serve(ctx, "127.0.0.1:0", "echo"), 0)
		Expect(err).NotTo(HaveOccurred())
		conn, err := net.Dial("tcp", l.Addr().String())
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		Expect(echoes(conn, "hello")).To(Succeed())
		Expect(l.Close()).To(Succeed())
		Expect(l.Done()).To(BeClosed())
		Expect(l.Err()).NotTo(HaveOccurred())
		_, err = io.ReadAll(conn)
		Expect(err).To(Or(BeNil(), MatchError(ContainSubstring("reset"))))
		_, err = net.Dial("tcp", l.Addr().String())
		Expect(err).To(HaveOccurred())
	})
	it("are no longer exposed when the context ends", func(ctx SpecContext) {
		exposed, stop := context.WithCancel(ctx)
		l, err := b.Expose(exposed, 80, 0)
		Expect(err).NotTo(HaveOccurred())
		stop()
		eventually(ctx, l.Done()).Should(BeClosed())
		Expect(l.Err()).To(MatchError(context.Canceled))
	})
	it("are no longer exposed when the sandbox is gone", func(ctx SpecContext) {
		short := f.create(ctx, nil)
		l, err := short.Expose(ctx, 80, 0)
		Expect(err).NotTo(HaveOccurred())
		Expect(f.another().Kill(ctx, short.ID())).To(Succeed())
		eventually(ctx, l.Done()).WithTimeout(10 * time.Second).Should(BeClosed())
		Expect(l.Err()).To(Or(failAs(quixand.ErrNotFound), failAs(quixand.ErrUnavailable)))
	})
}
