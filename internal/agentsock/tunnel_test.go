package agentsock

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quixand-tunnel\r\n\r\n"

// agent serves a double of an agent and returns its directory.
func agent(t *testing.T, handle func(*http.Request, *bufio.Reader, net.Conn)) string {
	dir := t.TempDir()
	listen(t, socketIn(dir), func(c net.Conn) {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		handle(req, r, c)
	})
	return dir
}

func TestDialPort(t *testing.T) {
	dir := agent(t, func(req *http.Request, r *bufio.Reader, c net.Conn) {
		// The first bytes of the stream come in one piece with the header.
		io.WriteString(c, switching+req.URL.Query().Get("port")+":")
		all, _ := io.ReadAll(r)
		io.WriteString(c, strings.ToUpper(string(all)))
	})
	conn, err := DialPort(t.Context(), dir, 8080)
	must(t, err)
	defer conn.Close()
	io.WriteString(conn, "question")
	must(t, conn.(interface{ CloseWrite() error }).CloseWrite())
	got, err := io.ReadAll(conn)
	if want := "8080:QUESTION"; err != nil || string(got) != want {
		t.Errorf("read %q, %v, want %q", got, err, want)
	}
}

func TestDialPortDeadline(t *testing.T) {
	dir := agent(t, func(_ *http.Request, r *bufio.Reader, c net.Conn) {
		io.WriteString(c, switching)
		io.Copy(io.Discard, r)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	conn, err := DialPort(ctx, dir, 1)
	must(t, err)
	defer conn.Close()
	cancel() // bounds the dial, not the connection
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("Read after the deadline: %v", err)
	}
}

func TestDialPortErrors(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		kind   error
	}{
		"nobody listens":     {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", adapters.ErrUnavailable},
		"agent ends":         {"", adapters.ErrUnavailable},
		"cut short":          {"HTTP/1.1 101 Switch", adapters.ErrUnavailable},
		"garbage":            {"\x00\xff\x1b[2J\r\n\r\n", adapters.ErrInternal},
		"another protocol":   {strings.Replace(switching, "tunnel", "other", 1), adapters.ErrInternal},
		"no switch":          {"HTTP/1.1 200 OK\r\nUpgrade: quixand-tunnel\r\n\r\n", adapters.ErrInternal},
		"endless header":     {"HTTP/1.1 101 OK\r\nX: " + strings.Repeat("x", 2*maxHeaderBytes), adapters.ErrUnavailable},
		"endless first line": {strings.Repeat("x", 2*maxHeaderBytes), adapters.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			dir := agent(t, func(_ *http.Request, _ *bufio.Reader, c net.Conn) { io.WriteString(c, test.answer) })
			conn, err := DialPort(t.Context(), dir, 1)
			if err == nil {
				conn.Close()
				t.Fatal("no error")
			}
			if !errors.Is(err, test.kind) {
				t.Errorf("%q is of kind %v, want %v", err, adapters.KindOf(err), test.kind)
			}
		})
	}
}

func TestDialPortNeverAnswered(t *testing.T) {
	dir := agent(t, func(_ *http.Request, r *bufio.Reader, _ net.Conn) { io.Copy(io.Discard, r) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := DialPort(ctx, dir, 1); !errors.Is(err, adapters.ErrTimeout) {
		t.Errorf("DialPort: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := DialPort(ctx, dir, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("DialPort: %v", err)
	}
}

func TestTransport(t *testing.T) {
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
	dir := agent(t, func(req *http.Request, r *bufio.Reader, c net.Conn) {
		if req.Header.Get("Upgrade") != "" {
			io.WriteString(c, switching)
			req, _ = http.ReadRequest(r)
		}
		if req != nil && req.URL.Path == "/x" {
			io.WriteString(c, answer)
		}
	})
	for _, port := range []int{adapters.AgentPort, 8080} {
		rt := Transport(dir, port)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://sandbox/x", nil)
		must(t, err)
		resp, err := rt.RoundTrip(req)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		rt.CloseIdleConnections()
		if err != nil || string(body) != "hi" {
			t.Errorf("port %d: %q, %v", port, body, err)
		}
	}
}

func TestTransportBoundsHeaders(t *testing.T) {
	dir := agent(t, func(_ *http.Request, _ *bufio.Reader, c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for {
			if _, err := io.WriteString(c, "X: "+strings.Repeat("x", 1000)+"\r\n"); err != nil {
				return
			}
		}
	})
	rt := Transport(dir, adapters.AgentPort)
	defer rt.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://sandbox/", nil)
	must(t, err)
	if resp, err := rt.RoundTrip(req); err == nil {
		resp.Body.Close()
		t.Error("an endless header was accepted")
	}
}

// One pool serves many sandboxes and mixes none of them up.
func TestPool(t *testing.T) {
	dirs := make(map[string]string)
	for _, id := range []string{"a1", "b2"} {
		dirs[id] = agent(t, func(req *http.Request, r *bufio.Reader, c net.Conn) {
			tunnel := ""
			if req.Header.Get("Upgrade") != "" {
				tunnel = " " + req.URL.Query().Get("port")
				io.WriteString(c, switching)
				if req, _ = http.ReadRequest(r); req == nil {
					return
				}
			}
			body := id + tunnel + " " + req.Host
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			io.Copy(io.Discard, r)
		})
	}
	pool := NewPool(Directories(func(id string) string { return cmp.Or(dirs[id], "/nonexistent") }), nil)
	defer pool.Close()
	for _, test := range []struct {
		id   string
		port int
		want string
	}{
		{"a1", adapters.AgentPort, "a1 example.org"},
		{"b2", adapters.AgentPort, "b2 example.org"},
		{"b2", 8080, "b2 8080 example.org"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org/x", nil)
		must(t, err)
		resp, err := pool.Transport(test.id, test.port).RoundTrip(req)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != test.want {
			t.Errorf("%s:%d: %q, %v, want %q", test.id, test.port, body, err, test.want)
		}
		if resp.Request != req || req.URL.Host != "example.org" {
			t.Error("the request was changed")
		}
	}
	resp, err := pool.Transport("c3", adapters.AgentPort).RoundTrip(&http.Request{URL: &url.URL{}, Header: make(http.Header)})
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, adapters.ErrNotFound) {
		t.Errorf("an unknown sandbox: %v", err)
	}
}
