// Package tunnel carries TCP connections to ports inside the sandbox over the
// agent's own socket. A port needs not be published for it, nor does the
// sandbox need a network.
package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agentapi"
)

// dialTimeout bounds a connection within one machine: it fails only when the
// listener's queue is full.
const dialTimeout = 5 * time.Second

// Service serves [agentapi.PathTunnel].
type Service struct {
	ctx  context.Context // ends every tunnel; a tunnel outlives its request
	stop context.CancelFunc

	mu sync.Mutex // orders begin and Close
	wg sync.WaitGroup
}

// New returns a Service.
func New() *Service {
	s := &Service{}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends every tunnel and waits for its end.
func (s *Service) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.wg.Wait()
}

// begin counts a tunnel, unless the service is closed.
func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.wg.Add(1)
	return true
}

// ServeHTTP connects to the port, takes over the connection and copies until
// both sides have finished.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	port, err := port(r)
	if err != nil {
		httperr.WriteErr(w, err)
		return
	}
	if !s.begin() {
		httperr.Write(w, http.StatusServiceUnavailable, "the agent is closing")
		return
	}
	defer s.wg.Done()
	// A client that has sent all it has may have finished its side already,
	// which net/http takes for its going away.
	inside, err := dial(context.WithoutCancel(r.Context()), port)
	if err != nil {
		httperr.Write(w, http.StatusBadGateway, fmt.Sprintf("port %d: %v", port, err))
		return
	}
	outside, early, err := takeOver(w)
	if err != nil {
		inside.Close()
		httperr.Write(w, http.StatusInternalServerError, err.Error())
		return
	}
	s.join(outside, inside, early)
}

func port(r *http.Request) (int, error) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), agentapi.TunnelProtocol) {
		return 0, &httperr.Error{Status: http.StatusUpgradeRequired, Err: errors.New("a tunnel needs Connection: Upgrade and Upgrade: " + agentapi.TunnelProtocol)}
	}
	port, err := strconv.Atoi(r.URL.Query().Get("port"))
	if err != nil || port < 1 || port > 65535 {
		return 0, httperr.BadRequest(fmt.Errorf("no such port: %q", r.URL.Query().Get("port")))
	}
	return port, nil
}

// dial tries both loopback addresses: a service that listens on all addresses
// of one family is found as well as one that listens on localhost.
func dial(ctx context.Context, port int) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var dialer net.Dialer
	var first error
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return conn.(*net.TCPConn), nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// stream is a connection of which each side can finish by itself.
type stream interface {
	net.Conn
	CloseWrite() error
}

// takeOver answers the request and returns its connection, with what the
// client has sent already.
func takeOver(w http.ResponseWriter) (conn stream, early []byte, err error) {
	c, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	conn, ok := c.(stream)
	if !ok {
		c.Close()
		return nil, nil, fmt.Errorf("cannot half-close a %T", c)
	}
	early, _ = buf.Reader.Peek(buf.Reader.Buffered())
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+agentapi.TunnelProtocol+"\r\n\r\n")
	if err != nil {
		c.Close()
	}
	return conn, early, err
}

// join copies both ways. Each side's end is passed on; an error ends both.
func (s *Service) join(outside stream, inside *net.TCPConn, early []byte) {
	closeBoth := func() {
		outside.Close()
		inside.Close()
	}
	defer closeBoth()
	defer context.AfterFunc(s.ctx, closeBoth)()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := inside.Write(early); err != nil || !pass(inside, outside) {
			closeBoth()
		}
	})
	if !pass(outside, inside) {
		closeBoth()
	}
	wg.Wait()
}

// pass copies until src ends and reports whether dst could be told.
func pass(dst, src stream) bool {
	if _, err := io.Copy(dst, src); err != nil {
		return false
	}
	return dst.CloseWrite() == nil
}
