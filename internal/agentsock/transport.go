package agentsock

import (
	"context"
	"net"
	"net/http"
	"time"

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
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return DialPort(ctx, dir, port) }
	if port == adapters.AgentPort {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return Dial(ctx, dir) }
	}
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
