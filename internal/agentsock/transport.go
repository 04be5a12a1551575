package agentsock

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/unixconn"
	"github.com/quixand/quixand/pkg/adapters"
)

// maxHeaderBytes bounds what an agent can make the host remember of a header.
const maxHeaderBytes = 64 << 10

// Transport returns a transport to the HTTP service at a port of the sandbox
// whose directory is dir. The agent's own port leads to its socket, any other
// one through its tunnel. The host in a request's URL means nothing.
//
// Responses as a whole are not bounded in size or time, for some are streams;
// their readers bound them.
func Transport(dir string, port int) *http.Transport {
	return inDirectory(dir).Transport("", port)
}

func newTransport(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext: dial,
		// What travels is local, so compressing it only costs time.
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		// Two, the default, would dial anew for most of 64 parallel commands.
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     90 * time.Second,
	}
}

// A Dialer connects to the agent of a sandbox. The connection has a CloseWrite
// method.
type Dialer func(ctx context.Context, id string) (net.Conn, error)

// Directories returns the Dialer of sandboxes whose sockets are in directories
// that dirOf knows.
func Directories(dirOf func(id string) string) Dialer {
	return func(ctx context.Context, id string) (net.Conn, error) {
		conn, err := Dial(ctx, dirOf(id))
		if err != nil { // a nil UnixConn is no nil Conn
			return nil, err
		}
		return unixconn.Conn{UnixConn: conn}, nil
	}
}

func inDirectory(dir string) Dialer { return Directories(func(string) string { return dir }) }

// Transport is as the function of that name, for a sandbox that d connects to.
func (d Dialer) Transport(id string, port int) *http.Transport {
	return newTransport(func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx, id, port) })
}

func (d Dialer) dial(ctx context.Context, id string, port int) (net.Conn, error) {
	if port == adapters.AgentPort {
		return d(ctx, id)
	}
	return d.tunnel(ctx, id, port)
}

// Pool holds the idle connections to many sandboxes, so that there is one
// place to give them back. It is safe for concurrent use.
type Pool struct {
	dialer    Dialer
	mend      Mender
	transport *http.Transport
}

// A Mender gives a sandbox that runs the socket back that it has lost. It
// returns nil when it is worth while to dial again, and what to fail with
// otherwise: lost, where it knows no better.
type Mender func(ctx context.Context, id string, lost error) error

// NewPool returns a Pool of the sandboxes that dialer connects to. mend is asked
// when one has no socket; nil mends nothing.
func NewPool(dialer Dialer, mend Mender) *Pool {
	p := &Pool{dialer: dialer, mend: mend}
	p.transport = newTransport(p.dial)
	return p
}

// Transport is as the function of that name, for the sandbox with this id.
func (p *Pool) Transport(id string, port int) http.RoundTripper {
	return &pooled{p.transport, net.JoinHostPort(id, strconv.Itoa(port))}
}

// Close gives the idle connections back. The Pool can still be used.
func (p *Pool) Close() { p.transport.CloseIdleConnections() }

func (p *Pool) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	id, digits, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(digits)
	if err != nil {
		return nil, err
	}
	return p.DialPort(ctx, id, port)
}

// DialPort opens a byte stream to a port of a sandbox: to the agent itself at
// the agent's own, and through its tunnel at any other.
func (p *Pool) DialPort(ctx context.Context, id string, port int) (net.Conn, error) {
	conn, err := p.dialer.dial(ctx, id, port)
	if err == nil || p.mend == nil || !lost(err) {
		return conn, err
	}
	if err := p.mend(ctx, id, err); err != nil {
		return nil, err
	}
	return p.dialer.dial(ctx, id, port)
}

// lost reports whether an error of dialing says that there is no socket, or
// one that nobody listens on.
func lost(err error) bool {
	return errors.Is(err, adapters.ErrNotFound) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED)
}

// pooled sends requests to one port of one sandbox. It has no way to give back
// connections, since they are everybody's.
type pooled struct {
	transport *http.Transport
	host      string // tells the pool whom to dial
}

func (t *pooled) RoundTrip(req *http.Request) (*http.Response, error) {
	to := req.WithContext(req.Context())
	to.URL = new(url.URL)
	*to.URL = *req.URL
	to.URL.Scheme, to.URL.Host = "http", t.host
	if to.Host == "" { // what the service is to read
		to.Host = req.URL.Host
	}
	resp, err := t.transport.RoundTrip(to)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}
