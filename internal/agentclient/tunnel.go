package agentclient

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/quixand/quixand/internal/agentapi"
)

// Tunnel connects to a TCP port inside the sandbox, for adapters that offer
// nothing better than a RoundTripper. ctx bounds the connecting only.
func (c *Client) Tunnel(ctx context.Context, port int) (io.ReadWriteCloser, error) {
	dog := newWatchdog(ctx)
	req := newRequest(dog.ctx, http.MethodGet, agentapi.PathTunnel,
		[]string{"port", strconv.Itoa(port)},
		[]string{"Connection", "Upgrade", "Upgrade", agentapi.TunnelProtocol})
	res, err := c.do(req, http.StatusSwitchingProtocols)
	if err != nil {
		err = dog.explain(err)
		dog.end()
		return nil, err
	}
	dog.pause()
	dog.detach()
	conn, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !strings.EqualFold(res.Header.Get("Upgrade"), agentapi.TunnelProtocol) {
		_ = res.Body.Close()
		dog.end()
		return nil, garbage("switched to %.80q", res.Header.Get("Upgrade"))
	}
	return conn, nil
}
