package server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/server"
)

// served is a server that listens by itself.
type served struct {
	*world
	server *server.Server
	addr   string
	stop   context.CancelFunc
	ended  chan error
}

func (w *world) serve() *served {
	l, err := server.Listen(w.Context(), "127.0.0.1:0", nil)
	if err != nil {
		w.Fatal(err)
	}
	return w.serveAt(l)
}

func (w *world) serveAt(l net.Listener) *served {
	ctx, stop := context.WithCancel(w.Context())
	s := &served{w, server.New(w.config), l.Addr().String(), stop, make(chan error, 1)}
	go func() { s.ended <- s.server.Serve(ctx, l) }()
	return s
}

// to is a request to a port of a sandbox.
func (s *served) to(sb sandbox, port string) *http.Request {
	req, err := http.NewRequestWithContext(s.Context(), "GET", "http://"+s.addr, nil)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("E2b-Sandbox-Id", sb.ID)
	req.Header.Set("E2b-Sandbox-Port", port)
	return req
}

// TestADrainLetsRequestsEnd that are under way, and says that it takes no more.
func TestADrainLetsRequestsEnd(t *testing.T) {
	w := newWorld(t)
	began, end := make(chan struct{}), make(chan struct{})
	port := service(t, func(rw http.ResponseWriter, _ *http.Request) {
		close(began)
		<-end
		_, _ = io.WriteString(rw, "the end")
	})
	sb := w.create(`{"templateID":"base"}`)
	s := w.serve()
	go func() {
		<-began
		if code := readiness(s.server); code != http.StatusNoContent {
			t.Errorf("readyz: %d", code)
		}
		s.stop()
		for readiness(s.server) != http.StatusServiceUnavailable { // until the drain has begun
		}
		close(end)
	}()
	resp, err := new(http.Client).Do(s.to(sb, port))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); string(text) != "the end" {
		t.Errorf("%q, %v", text, err)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func readiness(s *server.Server) int {
	rec := httptest.NewRecorder()
	s.Monitor().ServeHTTP(rec, httptest.NewRequest("GET", "http://localhost/readyz", nil))
	return rec.Code
}

// TestADrainCutsStreams and upgraded connections, which may have no end.
func TestADrainCutsStreams(t *testing.T) {
	w := newWorld(t)
	w.config.Drain = 200 * time.Millisecond
	sb := w.create(`{"templateID":"base"}`)
	stream := service(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	echo := service(t, echoUpgraded)
	s := w.serve()
	resp, err := new(http.Client).Do(s.to(sb, stream))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	conn, reader := s.upgrade(s.to(sb, echo))
	s.stop()
	for readiness(s.server) != http.StatusServiceUnavailable {
	}
	if _, err := io.WriteString(conn, "x"); err != nil {
		t.Errorf("a connection was cut at once: %v", err)
	}
	if b, err := reader.ReadByte(); b != 'x' {
		t.Errorf("a connection was cut at once: %q, %v", b, err)
	}
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream has ended with %v", err)
	}
	if _, err := reader.ReadByte(); err == nil {
		t.Error("the connection goes on")
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func echoUpgraded(rw http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := rw.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
}

func (s *served) upgrade(req *http.Request) (net.Conn, *bufio.Reader) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	if err := req.Write(conn); err != nil {
		s.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, req)
	if err != nil {
		s.Fatal(err)
	}
	resp.Body.Close() // which an answer of this status has none of
	if resp.StatusCode != http.StatusSwitchingProtocols {
		s.Fatal(resp.Status)
	}
	return conn, reader
}

// TestARestartRefusesNobody where a service manager holds the socket.
func TestARestartRefusesNobody(t *testing.T) {
	w := newWorld(t)
	w.config.Drain = 100 * time.Millisecond
	sb := w.create(`{"templateID":"base"}`)
	stream := service(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	socket, err := held.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	stop := make(chan struct{})
	asked := make(chan error, 1)
	go func() {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		for {
			select {
			case <-stop:
				asked <- nil
				return
			default:
			}
			resp, err := client.Get("http://" + held.Addr().String() + "/healthz")
			if err != nil {
				asked <- err
				return
			}
			resp.Body.Close()
		}
	}()
	for range 5 {
		l, err := net.FileListener(socket)
		if err != nil {
			t.Fatal(err)
		}
		s := w.serveAt(l)
		resp, err := new(http.Client).Do(s.to(sb, stream))
		if err != nil {
			t.Fatal(err)
		}
		s.stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
		resp.Body.Close()
	}
	l, err := net.FileListener(socket)
	if err != nil {
		t.Fatal(err)
	}
	s := w.serveAt(l)
	close(stop)
	if err := <-asked; err != nil {
		t.Error(err)
	}
	s.stop()
	<-s.ended
}
