package contract

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describePorts is about TCP ports inside a sandbox, none of which is open to the
// network. Where networks can be told apart, the sandbox has none at all.
func describePorts(f *fixture) {
	Describe("ports", Ordered, ContinueOnFailure, func() {
		b := new(box)
		BeforeAll(func(ctx SpecContext) {
			network := quixand.NetworkNone
			if !f.has(Networks) {
				network = quixand.NetworkBridge
			}
			*b = *f.create(ctx, &quixand.Options{Network: network})
		}, NodeTimeout(time.Minute))

		describeDial(b)
		describeTraffic(b)
		describeHTTP(b)
		describeExpose(f, b)
	})
	it("are published by the engine for those who ask", needs(Publish), func(ctx SpecContext) {
		b := f.create(ctx, &quixand.Options{Publish: []quixand.PortMapping{{Port: 8000}}})
		info, err := b.Info(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Ports).To(ConsistOf(SatisfyAll(HaveField("Port", 8000), HaveField("HostPort", BeNumerically(">", 0)))))
		b.serve(ctx, "0.0.0.0:8000", "echo")
		conn, err := net.Dial("tcp", address(info.Ports[0].HostPort))
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		Expect(echoes(conn, "hello")).To(Succeed())
	})
}

func describeDial(b *box) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		it("are reached where a server listens at "+listen, func(ctx SpecContext) {
			conn := b.dial(ctx, b.serve(ctx, listen, "echo"))
			Expect(echoes(conn, "hello")).To(Succeed())
		})
	}
	it("are reached at the IPv6 loopback alone", func(ctx SpecContext) {
		if b.sh(ctx, "cat /proc/net/if_inet6 2>/dev/null | grep -c ' lo$' || true") == "0" {
			return // the sandbox's kernel has no IPv6
		}
		Expect(echoes(b.dial(ctx, b.serve(ctx, "[::1]:0", "echo")), "hello")).To(Succeed())
	})
	it("refuse a connection where nobody listens", func(ctx SpecContext) {
		_, err := b.DialContext(ctx, "tcp", "localhost:1")
		Expect(err).To(failAs(quixand.ErrUnavailable))
	})
	it("take addresses as net.Dialer does", func(ctx SpecContext) {
		port := b.serve(ctx, "127.0.0.1:0", "echo")
		for _, host := range []string{"", "localhost", "127.0.0.1"} {
			conn, err := b.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
			Expect(err).NotTo(HaveOccurred(), host)
			Expect(conn.Close()).To(Succeed())
		}
	})
	for _, bad := range [][2]string{
		{"udp", "localhost:1"},
		{"unix", "/x"},
		{"tcp", "localhost"},
		{"tcp", "localhost:0"},
		{"tcp", "localhost:65536"},
		{"tcp", "localhost:-1"},
		{"tcp", "localhost:http"},
		{"tcp", "example.org:80"},
		{"tcp", "10.0.0.1:80"},
	} {
		it(fmt.Sprintf("refuse to dial %s %s", bad[0], bad[1]), func(ctx SpecContext) {
			_, err := b.DialContext(ctx, bad[0], bad[1])
			Expect(err).To(failAs(quixand.ErrInvalid))
		})
	}
}

func describeTraffic(b *box) {
	it("let each side end its half", func(ctx SpecContext) {
		conn := b.dial(ctx, b.serve(ctx, "127.0.0.1:0", "count"))
		_, err := io.WriteString(conn, "12345")
		Expect(err).NotTo(HaveOccurred())
		Expect(closeWrite(conn)).To(Succeed())
		Expect(io.ReadAll(conn)).To(BeEquivalentTo("5\n"))
	})
	it("let the other side end its half first", func(ctx SpecContext) {
		conn := b.dial(ctx, b.serve(ctx, "127.0.0.1:0", "source", "5"))
		Expect(io.ReadAll(conn)).To(HaveLen(5))
		_, err := io.WriteString(conn, "still open this way")
		Expect(err).NotTo(HaveOccurred())
	})
	it("keep to deadlines", func(ctx SpecContext) {
		conn := b.dial(ctx, b.serve(ctx, "127.0.0.1:0", "echo"))
		Expect(conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))).To(Succeed())
		_, err := conn.Read(make([]byte, 1))
		Expect(err).To(MatchError(os.ErrDeadlineExceeded))
		Expect(conn.SetReadDeadline(time.Time{})).To(Succeed())
		Expect(echoes(conn, "still usable")).To(Succeed())
	})
	it("carry 256 MiB each way", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
		const much = 256 << 20
		down := b.dial(ctx, b.serve(ctx, "127.0.0.1:0", "source", strconv.Itoa(much)))
		Expect(io.Copy(io.Discard, down)).To(BeEquivalentTo(much))
		up := b.dial(ctx, b.serve(ctx, "127.0.0.1:0", "count"))
		Expect(io.Copy(up, noise(much))).To(BeEquivalentTo(much))
		Expect(closeWrite(up)).To(Succeed())
		Expect(io.ReadAll(up)).To(BeEquivalentTo(fmt.Sprintln(much)))
	})
	it("carry bytes as they are", SpecTimeout(time.Minute), func(ctx SpecContext) {
		conn := b.dial(ctx, b.serve(ctx, "127.0.0.1:0", "echo"))
		sent, got := sha256.New(), sha256.New()
		go func() {
			defer GinkgoRecover()
			_, err := io.Copy(io.MultiWriter(conn, sent), noise(32<<20))
			Expect(err).NotTo(HaveOccurred())
			Expect(closeWrite(conn)).To(Succeed())
		}()
		Expect(io.Copy(got, conn)).To(BeEquivalentTo(32 << 20))
		Expect(got.Sum(nil)).To(Equal(sent.Sum(nil)))
	})
	it("serve a hundred connections at once", func(ctx SpecContext) {
		port := b.serve(ctx, "127.0.0.1:0", "echo")
		inParallel(100, func(i int) {
			conn, err := b.DialContext(ctx, "tcp", address(port))
			Expect(err).NotTo(HaveOccurred())
			defer conn.Close()
			for n := range 10 {
				Expect(echoes(conn, fmt.Sprintf("%d of %d", n, i))).To(Succeed())
			}
		})
	})
	it("end with the server", func(ctx SpecContext) {
		conn := b.dial(ctx, b.serve(ctx, "127.0.0.1:0", "echo"))
		Expect(echoes(conn, "hello")).To(Succeed())
		for _, p := range b.processes(ctx, func(p process) bool { return strings.Contains(p.command, "serve 127.0.0.1:0 echo") }) {
			b.sh(ctx, fmt.Sprintf("kill -9 %d || true", p.pid))
		}
		_, err := io.ReadAll(conn)
		Expect(err).To(Or(BeNil(), MatchError(ContainSubstring("reset"))))
	})
}

func describeHTTP(b *box) {
	it("speak HTTP through a transport", needs(Python), func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, dir+"/page", "over HTTP")
		port := b.python(ctx, dir)
		client := http.Client{Transport: b.Transport(port)}
		for _, host := range []string{"localhost", "whatever.example"} {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/page", nil)
			Expect(err).NotTo(HaveOccurred())
			res, err := client.Do(req)
			Expect(err).NotTo(HaveOccurred())
			Expect(io.ReadAll(res.Body)).To(BeEquivalentTo("over HTTP"))
			Expect(res.Body.Close()).To(Succeed())
		}
	})
	it("fail through a transport where nobody listens", func(ctx SpecContext) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/", nil)
		Expect(err).NotTo(HaveOccurred())
		_, err = b.Transport(1).RoundTrip(req) //nolint:bodyclose // there is no response
		Expect(err).To(failAs(quixand.ErrUnavailable))
	})
}

// python serves a directory with Python's own web server and returns its port.
func (b *box) python(ctx context.Context, dir string) int {
	GinkgoHelper()
	const script = `
import http.server, functools, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_port, flush=True)
server.serve_forever()`
	return b.listening(ctx, b.Command("python3", "-c", script, dir))
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// dial connects to a port inside, until the case ends.
func (b *box) dial(ctx context.Context, port int) net.Conn {
	GinkgoHelper()
	conn, err := b.DialContext(ctx, "tcp", address(port))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(conn.Close)
	return conn
}

func closeWrite(conn net.Conn) error { return conn.(interface{ CloseWrite() error }).CloseWrite() }

// echoes sends a text and reads it back.
func echoes(conn net.Conn, text string) error {
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	back := make([]byte, len(text))
	if _, err := io.ReadFull(conn, back); err != nil {
		return err
	}
	if string(back) != text {
		return fmt.Errorf("sent %q, got back %q", text, back)
	}
	return nil
}
