package agentsock

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// DialPort opens a byte stream to a TCP port inside the sandbox, through the
// agent's tunnel. The connection has a CloseWrite method, as TCP ones do.
func DialPort(ctx context.Context, dir string, port int) (net.Conn, error) {
	return inDirectory(dir).tunnel(ctx, "", port)
}

func (d Dialer) tunnel(ctx context.Context, id string, port int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := d(ctx, id)
	if err != nil {
		return nil, err
	}
	// A context cannot interrupt the handshake's reads, a deadline can.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	tunnel, err := upgrade(conn, port)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, tunnelError(ctx, port, err)
	}
	return tunnel, nil
}

// upgrade turns a connection to the agent into one to the port.
func upgrade(conn net.Conn, port int) (*tunnelConn, error) {
	_, err := fmt.Fprintf(conn, "GET %s?port=%d HTTP/1.1\r\nHost: agent\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n",
		agentapi.PathTunnel, port, agentapi.TunnelProtocol)
	if err != nil {
		return nil, err
	}
	bounded := &io.LimitedReader{R: conn, N: maxHeaderBytes}
	r := bufio.NewReader(bounded)
	//nolint:bodyclose // To close it is to read it to its end; the caller closes the connection.
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodGet})
	if err != nil {
		return nil, fmt.Errorf("answer of the agent: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusBadGateway:
		return nil, &adapters.Error{
			Op: "dial", Kind: adapters.ErrUnavailable,
			Err: fmt.Errorf("nothing listens on port %d in the sandbox", port),
		}
	case resp.StatusCode != http.StatusSwitchingProtocols,
		!strings.EqualFold(resp.Header.Get("Upgrade"), agentapi.TunnelProtocol):
		return nil, fmt.Errorf("agent answers %d where it should open a tunnel", resp.StatusCode)
	}
	bounded.N = math.MaxInt64
	return &tunnelConn{conn, r}, nil
}

func tunnelError(ctx context.Context, port int, err error) error {
	if e, ok := errors.AsType[*adapters.Error](err); ok {
		return e
	}
	e := &adapters.Error{Op: "dial", Kind: adapters.ErrInternal, Err: fmt.Errorf("port %d: %w", port, err)}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled):
		return cause
	case cause != nil:
		e.Kind, e.Err = adapters.ErrTimeout, fmt.Errorf("port %d: %w", port, cause)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Kind = adapters.ErrUnavailable
	}
	return e
}

// tunnelConn is a connection whose first bytes may have come with the header.
type tunnelConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *tunnelConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// CloseWrite ends the stream to the sandbox and leaves the other one open.
func (c *tunnelConn) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }
