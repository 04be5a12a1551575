package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"

	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/pkg/adapters"
)

// DialPort opens a byte stream to a TCP port inside a sandbox, by the agent's
// tunnel. It is a connection of its own to the server, of HTTP/1.1 whatever else
// is spoken: only those become something else.
func (a *Adapter) DialPort(ctx context.Context, id string, port int) (net.Conn, error) {
	var conn net.Conn
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { conn = got.Conn },
	})
	stream, err := agentclient.New(&transport{a, id, adapters.AgentPort}).Tunnel(traced, port)
	if err != nil {
		return nil, err
	}
	return &tunnel{Conn: conn, stream: stream, port: fmt.Sprintf("%s:%d", id, port)}, nil
}

// tunnel reads and writes what net/http has made of a connection, whose deadlines
// remain its own.
type tunnel struct {
	net.Conn
	stream io.ReadWriteCloser
	port   string
}

func (t *tunnel) Read(p []byte) (int, error)  { return t.stream.Read(p) }
func (t *tunnel) Write(p []byte) (int, error) { return t.stream.Write(p) }
func (t *tunnel) Close() error                { return t.stream.Close() }
func (t *tunnel) RemoteAddr() net.Addr        { return portAddr(t.port) }

// CloseWrite ends the stream to the sandbox and leaves the other one open.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.stream.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return http.ErrNotSupported
}

// portAddr is a port inside a sandbox.
type portAddr string

func (portAddr) Network() string  { return "quixand" }
func (a portAddr) String() string { return string(a) }
