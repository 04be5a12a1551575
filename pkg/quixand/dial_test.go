package quixand_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// service listens on the loopback, which the fake's sandboxes share with this
// process, and answers each connection.
func service(t *testing.T, answer func(net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				answer(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port
}

// shout reads to the end, and only then answers.
func shout(conn net.Conn) {
	all, _ := io.ReadAll(conn)
	io.WriteString(conn, strings.ToUpper(string(all)))
}

// noDialer hides that the fake can dial, so that the agent's tunnel has to be
// used through the RoundTripper.
type noDialer struct{ adapters.Adapter }

func TestDialContext(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	port := service(t, shout)
	for _, address := range []string{"localhost:%d", ":%d", "127.0.0.1:%d", "[::1]:%d"} {
		conn, err := sb.DialContext(ctx, "tcp", fmt.Sprintf(address, port))
		must(t, err)
		_, err = io.WriteString(conn, "hello")
		must(t, err)
		must(t, conn.(interface{ CloseWrite() error }).CloseWrite())
		if got, err := io.ReadAll(conn); err != nil || string(got) != "HELLO" {
			t.Errorf("%q, %v", got, err)
		}
		must(t, conn.Close())
	}
	for name, test := range map[string]struct {
		network, address string
		kind             error
	}{
		"udp":              {"udp", ":80", quixand.ErrInvalid},
		"elsewhere":        {"tcp", "example.com:80", quixand.ErrInvalid},
		"another address":  {"tcp", "10.0.0.1:80", quixand.ErrInvalid},
		"no port":          {"tcp", "localhost", quixand.ErrInvalid},
		"named port":       {"tcp", ":http", quixand.ErrInvalid},
		"port 0":           {"tcp", ":0", quixand.ErrInvalid},
		"nobody listens":   {"tcp", ":1", quixand.ErrUnavailable},
		"beyond the range": {"tcp", ":65536", quixand.ErrInvalid},
	} {
		if _, err := sb.DialContext(ctx, test.network, test.address); !errors.Is(err, test.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDialThroughTransport(t *testing.T) {
	engine := fake.NewEngine()
	t.Cleanup(func() { engine.Close() })
	a, err := engine.Open(adapters.Config{})
	must(t, err)
	sb, err := clientOf(t, noDialer{a}).Create(t.Context(), nil)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := sb.DialContext(ctx, "tcp", ":"+strconv.Itoa(service(t, func(c net.Conn) { io.CopyN(c, c, 5) })))
	must(t, err)
	cancel() // bounds the dial, not the connection
	_, err = io.WriteString(conn, "hello")
	must(t, err)
	if got, err := io.ReadAll(conn); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	must(t, conn.Close())
	if _, err := sb.DialContext(t.Context(), "tcp", ":1"); !errors.Is(err, quixand.ErrUnavailable) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestTransport(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.URL.Path, body)
	}))
	defer server.Close()
	client := &http.Client{Transport: sb.Transport(server.Listener.Addr().(*net.TCPAddr).Port)}
	defer client.CloseIdleConnections()
	for range 3 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://any.example/path", strings.NewReader("body"))
		must(t, err)
		res, err := client.Do(req)
		must(t, err)
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || string(got) != "POST any.example /path body" {
			t.Errorf("%q, %v", got, err)
		}
	}
	for port, kind := range map[int]error{0: quixand.ErrInvalid, 65536: quixand.ErrInvalid, 1: quixand.ErrUnavailable} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://x/", nil)
		must(t, err)
		res, err := sb.Transport(port).RoundTrip(req)
		if err == nil {
			res.Body.Close()
		}
		if !errors.Is(err, kind) {
			t.Errorf("port %d: %v", port, err)
		}
	}
}

func TestExpose(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	l, err := sb.Expose(ctx, service(t, shout), 0)
	must(t, err)
	addr := l.Addr().(*net.TCPAddr)
	if !addr.IP.Equal(net.IPv4(127, 0, 0, 1)) || addr.Port == 0 {
		t.Errorf("listens on %v", addr)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			conn, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			text := strings.Repeat("hello", 1+i*10_000)
			if _, err := io.WriteString(conn, text); err != nil {
				t.Error(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Error(err)
			}
			if got, err := io.ReadAll(conn); err != nil || string(got) != strings.ToUpper(text) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()
	if _, err := sb.Expose(ctx, 80, addr.Port); !errors.Is(err, quixand.ErrExists) {
		t.Errorf("a port twice: %v", err)
	}
	if err := l.Err(); err != nil {
		t.Errorf("Err: %v", err)
	}
	must(t, l.Close())
	must(t, l.Close())
	if err := l.Err(); err != nil {
		t.Errorf("Err: %v", err)
	}
	if _, err := net.Dial("tcp", addr.String()); err == nil {
		t.Error("still listening")
	}
	again, err := sb.Expose(ctx, 80, addr.Port)
	must(t, err)
	must(t, again.Close())
}

// TestExposeEnds ends listeners in each way while connections are open, and
// looks for what they leave.
func TestExposeEnds(t *testing.T) {
	c, port := newClient(t), service(t, func(c net.Conn) { io.Copy(c, c) })
	for name, test := range map[string]struct {
		end  func(*quixand.Sandbox, *quixand.Listener, context.CancelFunc)
		kind error
	}{
		"close":  {func(_ *quixand.Sandbox, l *quixand.Listener, _ context.CancelFunc) { l.Close() }, nil},
		"cancel": {func(_ *quixand.Sandbox, _ *quixand.Listener, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"kill":   {func(sb *quixand.Sandbox, _ *quixand.Listener, _ context.CancelFunc) { c.Kill(t.Context(), sb.ID()) }, quixand.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			sb, err := c.Create(ctx, nil)
			must(t, err)
			l, err := sb.Expose(ctx, port, 0)
			must(t, err)
			conn, err := net.Dial("tcp", l.Addr().String())
			must(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "x")
			must(t, err)
			_, err = io.ReadFull(conn, make([]byte, 1))
			must(t, err)
			test.end(sb, l, cancel)
			<-l.Done()
			if err := l.Err(); !errors.Is(err, test.kind) {
				t.Errorf("Err: %v", err)
			}
			must(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
			if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the connection is still open: %v", err)
			}
			must(t, sb.Kill(t.Context()))
			conn.Close()
			goroutines(t, before)
		})
	}
}

// TestExposeNobody connects to a port that nobody listens on inside: the
// connection is closed, the listener lives.
func TestExposeNobody(t *testing.T) {
	sb := newSandbox(t)
	l, err := sb.Expose(t.Context(), 1, 0)
	must(t, err)
	defer l.Close()
	for range 2 {
		conn, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%d bytes", n)
		}
		conn.Close()
	}
	for _, port := range []int{0, -1, 65536} {
		if _, err := sb.Expose(t.Context(), port, 0); !errors.Is(err, quixand.ErrInvalid) {
			t.Errorf("port %d: %v", port, err)
		}
	}
}
