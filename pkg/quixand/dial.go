package quixand

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// DialContext connects to a TCP port inside the sandbox, as net.Dialer does.
// network must be "tcp", and address "localhost:PORT" (or ":PORT"). It works
// without any network in the sandbox. ctx bounds the connecting only. A port
// that nobody listens on is ErrUnavailable.
func (s *Sandbox) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	port, err := loopbackPort(network, address)
	if err != nil {
		return nil, s.client.wrap("dial", s.id, err)
	}
	conn, err := s.dialPort(ctx, port)
	if err != nil {
		return nil, s.wrap(ctx, "dial", err)
	}
	return conn, nil
}

// loopbackPort is the port of an address inside the sandbox.
func loopbackPort(network, address string) (int, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return 0, invalid("network %q is not tcp", network)
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, invalid("%v", err)
	}
	if ip := net.ParseIP(host); host != "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0, invalid("host %q is not the sandbox's localhost", host)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return 0, invalid("port %q is not a number", text)
	}
	return port, checkPort(port)
}

func (s *Sandbox) dialPort(ctx context.Context, port int) (net.Conn, error) {
	if d, ok := s.client.adapter.(adapters.Dialer); ok {
		return d.DialPort(ctx, s.id, port)
	}
	stream, err := s.agent.Tunnel(ctx, port)
	if err != nil {
		return nil, err
	}
	return &tunnelConn{ReadWriteCloser: stream, addr: tunnelAddr(fmt.Sprintf("%s:%d", s.id, port))}, nil
}

// tunnelConn is a net.Conn through an adapter that is no Dialer. It has no
// deadlines and cannot close one half.
type tunnelConn struct {
	io.ReadWriteCloser
	addr tunnelAddr
}

func (c *tunnelConn) LocalAddr() net.Addr              { return c.addr }
func (c *tunnelConn) RemoteAddr() net.Addr             { return c.addr }
func (c *tunnelConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *tunnelConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c *tunnelConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

type tunnelAddr string

func (a tunnelAddr) Network() string { return "quixand" }
func (a tunnelAddr) String() string  { return string(a) }

// Transport reaches the HTTP service at a port inside the sandbox, whatever
// host the request's URL names. Use one Transport for all requests to a port:
// it keeps their connections.
func (s *Sandbox) Transport(port int) http.RoundTripper {
	return &portTransport{sandbox: s, open: sync.OnceValues(func() (http.RoundTripper, error) {
		if err := checkPort(port); err != nil {
			return nil, err
		}
		return s.client.adapter.Transport(context.Background(), s.id, port)
	})}
}

type portTransport struct {
	sandbox *Sandbox
	open    func() (http.RoundTripper, error)
}

func (t *portTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	rt, err := t.open()
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, t.sandbox.wrap(req.Context(), "round trip", err)
	}
	res, err := rt.RoundTrip(req)
	return res, t.sandbox.wrap(req.Context(), "round trip", err)
}

// CloseIdleConnections is for http.Client.
func (t *portTransport) CloseIdleConnections() {
	if rt, err := t.open(); err == nil {
		if c, ok := rt.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	}
}
