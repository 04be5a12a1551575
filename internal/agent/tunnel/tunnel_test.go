package tunnel

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/quixand/quixand/internal/agentapi"
)

// listen serves connections to a port of this machine one at a time.
func listen(t *testing.T, address string, serve func(*net.TCPConn)) int {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c.(*net.TCPConn))
			c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func newServer(t *testing.T) (*Service, *httptest.Server) {
	t.Helper()
	s := New()
	srv := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); srv.Close() })
	return s, srv
}

// open opens a tunnel and sends some bytes together with the request.
func open(t *testing.T, srv *httptest.Server, port int, early string) (c *net.TCPConn, r *bufio.Reader, status int) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /?port=%d HTTP/1.1\r\nHost: agent\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n%s", port, agentapi.TunnelProtocol, early)
	r = bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Upgrade"); res.StatusCode == http.StatusSwitchingProtocols && got != agentapi.TunnelProtocol {
		t.Errorf("upgraded to %q", got)
	}
	return conn.(*net.TCPConn), r, res.StatusCode
}

// reverse answers, once its peer has finished, with what it got.
func reverse(c *net.TCPConn) {
	all, _ := io.ReadAll(c)
	c.Write([]byte("got:"))
	c.Write(all)
}

func TestBothDirectionsAndHalfClose(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		_, srv := newServer(t)
		c, r, status := open(t, srv, listen(t, address, reverse), "early ")
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("%s: %d", address, status)
		}
		payload := make([]byte, 4<<20)
		_, _ = rand.Read(payload)
		go func() {
			_, _ = c.Write(payload)
			_ = c.CloseWrite()
		}()
		got, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if want := append([]byte("got:early "), payload...); !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, want %d, or they differ", address, len(got), len(want))
		}
	}
}

func TestInsideMayFinishFirst(t *testing.T) {
	_, srv := newServer(t)
	received := make(chan string, 1)
	port := listen(t, "127.0.0.1:0", func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "bye")
		_ = c.CloseWrite()
		all, _ := io.ReadAll(c)
		received <- string(all)
	})
	c, r, _ := open(t, srv, port, "")
	if got, err := io.ReadAll(r); err != nil || string(got) != "bye" {
		t.Fatalf("%q, %v", got, err)
	}
	_, _ = io.WriteString(c, "still here")
	_ = c.CloseWrite()
	if got := <-received; got != "still here" {
		t.Errorf("inside got %q", got)
	}
}

func TestNobodyListens(t *testing.T) {
	_, srv := newServer(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	if _, _, status := open(t, srv, port, ""); status != http.StatusBadGateway {
		t.Error(status)
	}
}

func TestRefusedRequests(t *testing.T) {
	_, srv := newServer(t)
	if _, _, status := open(t, srv, 70000, ""); status != http.StatusBadRequest {
		t.Error(status)
	}
	res, err := http.Get(srv.URL + "?port=80")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUpgradeRequired {
		t.Error(res.Status)
	}
}

func TestCloseEndsTunnels(t *testing.T) {
	s, srv := newServer(t)
	_, r, _ := open(t, srv, listen(t, "127.0.0.1:0", func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }), "")
	s.Close()
	if _, err := r.ReadByte(); err == nil {
		t.Error("the tunnel is still open")
	}
}
