package buildkit

import (
	"context"
	"net"
	"net/http"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/buildkit/wire"
)

// unencrypted is HTTP/2 from the first byte on.
func unencrypted() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

// controller is a connection to BuildKit's control API.
type controller struct{ conn *http.ClientConn }

// host is what requests are addressed to: the connection leads to one place.
const host = "buildkit"

func connectTo(ctx context.Context, dial Dial) (*controller, error) {
	transport := &http.Transport{
		Protocols: unencrypted(),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, "/grpc", nil)
		},
	}
	conn, err := transport.NewClientConn(ctx, "http", host+":80")
	return &controller{conn}, err
}

func (c *controller) close() { _ = c.conn.Close() }

// Do is connect.HTTPClient.
func (c *controller) Do(req *http.Request) (*http.Response, error) { return c.conn.RoundTrip(req) }

// method is one of the control API's.
func method[Req, Res any](c *controller, name string) *connect.Client[Req, Res] {
	return connect.NewClient[Req, Res](c, "http://"+host+"/moby.buildkit.v1.Control/"+name, connect.WithGRPC())
}

// solve builds, and returns the image's id.
func (c *controller) solve(ctx context.Context, request *wire.SolveRequest) (string, error) {
	answer, err := method[wire.SolveRequest, wire.SolveResponse](c, "Solve").CallUnary(ctx, connect.NewRequest(request))
	if err != nil {
		return "", err
	}
	return answer.Msg.GetExporterResponse()["containerimage.digest"], nil
}

// follow passes on what is told of a build until it has ended, or ctx has.
func (c *controller) follow(ctx context.Context, ref string, p *progress) {
	answers, err := method[wire.StatusRequest, wire.StatusResponse](c, "Status").
		CallServerStream(ctx, connect.NewRequest(&wire.StatusRequest{Ref: ref}))
	if err != nil {
		return // the answer to solve tells why
	}
	defer answers.Close()
	for answers.Receive() {
		p.add(answers.Msg())
	}
}
