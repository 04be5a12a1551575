package remote

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// counter is a service that says how many bytes it got once they have ended. The
// fake's sandboxes have this machine's ports.
func counter(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				n, _ := io.Copy(io.Discard, conn)
				_, _ = conn.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// TestTunnel carries bytes to a port and back, over HTTP/1.1 whatever else the
// server speaks.
func TestTunnel(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tls)
			a := w.adapterAt(w.http.URL, w.key)
			info, err := a.Create(t.Context(), spec())
			if err != nil {
				t.Fatal(err)
			}
			conn, err := a.DialPort(t.Context(), info.ID, counter(t))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a read in vain: %v", err)
			}
			conn.SetReadDeadline(time.Time{})
			const much = 3 << 20
			if _, err := conn.Write(make([]byte, much)); err != nil {
				t.Fatal(err)
			}
			if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if err != nil || len(got) != 3 || int(got[0])|int(got[1])<<8|int(got[2])<<16 != much {
				t.Errorf("%v, %v", got, err)
			}
			if _, err := a.DialPort(t.Context(), info.ID, 1); !errors.Is(err, adapters.ErrUnavailable) {
				t.Errorf("a port where nobody listens: %v", err)
			}
		})
	}
}

// TestHTTP2 runs many commands over one connection.
func TestHTTP2(t *testing.T) {
	w := newWorld(t, true)
	a := w.adapterAt(w.http.URL, w.key)
	sb, err := w.client(a).Create(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		res, err := sb.Run(t.Context(), "echo", "hello")
		if err != nil || res.Text() != "hello\n" {
			t.Fatal(res, err)
		}
	}
	if _, err := open(adapters.Config{}, environment("http://192.0.2.1:3000")); !errors.Is(err, adapters.ErrInvalid) {
		t.Errorf("a key in the clear: %v", err)
	}
	stranger := w.adapterAt(w.http.URL, w.key)
	stranger.server.http.TLSClientConfig.RootCAs = nil
	if _, err := stranger.Get(t.Context(), sb.ID()); !errors.Is(err, adapters.ErrUnavailable) || !certificate(err) {
		t.Errorf("nobody vouches for the server: %v", err)
	}
}
