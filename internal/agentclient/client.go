// Package agentclient speaks to a sandbox's agent over any
// [http.RoundTripper]: E2B's Connect services and /files, and our own calls
// beside them.
//
// The agent is the sandbox's, so every answer is untrusted input. The calls
// that return one message bound its size and the time it takes; those that
// stream bound each message, and last as long as their context. Whatever
// comes instead of an answer ends as an [*adapters.Error], whose kind is
// chosen in one table, in errors.go. What an answer means to a user is for
// pkg/quixand.
package agentclient

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"sync"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/envd/filesystem"
	fsconnect "github.com/quixand/quixand/internal/envd/filesystem/filesystemconnect"
	"github.com/quixand/quixand/internal/envd/process"
	procconnect "github.com/quixand/quixand/internal/envd/process/processconnect"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	maxMessage = 16 << 20 // one answer of a unary call
	maxEvent   = 1 << 20  // one message of a stream

	// baseURL names no real host: the RoundTripper knows where the agent is.
	baseURL = "http://agent"
)

// Client is a client of one sandbox's agent. It is safe for concurrent use
// and holds nothing but the RoundTripper's idle connections.
type Client struct {
	rt http.RoundTripper
	// A server has a client for every sandbox, and most make no such call: the
	// procedures take 40 KiB.
	procedures func() *procedures
}

// New returns a Client of the agent that rt reaches.
func New(rt http.RoundTripper) *Client {
	return &Client{rt, sync.OnceValue(func() *procedures { return newProcedures(rt) })}
}

// procedures are the calls of E2B's Connect services.
type procedures struct {
	start       *connect.Client[process.StartRequest, process.StartResponse]
	connect     *connect.Client[process.ConnectRequest, process.ConnectResponse]
	list        *connect.Client[process.ListRequest, process.ListResponse]
	update      *connect.Client[process.UpdateRequest, process.UpdateResponse]
	streamInput *connect.Client[process.StreamInputRequest, process.StreamInputResponse]
	sendInput   *connect.Client[process.SendInputRequest, process.SendInputResponse]
	closeStdin  *connect.Client[process.CloseStdinRequest, process.CloseStdinResponse]
	sendSignal  *connect.Client[process.SendSignalRequest, process.SendSignalResponse]

	stat    *connect.Client[filesystem.StatRequest, filesystem.StatResponse]
	makeDir *connect.Client[filesystem.MakeDirRequest, filesystem.MakeDirResponse]
	move    *connect.Client[filesystem.MoveRequest, filesystem.MoveResponse]
	listDir *connect.Client[filesystem.ListDirRequest, filesystem.ListDirResponse]
	remove  *connect.Client[filesystem.RemoveRequest, filesystem.RemoveResponse]
	watch   *connect.Client[filesystem.WatchDirRequest, filesystem.WatchDirResponse]
}

func newProcedures(rt http.RoundTripper) *procedures {
	return &procedures{
		start:       stream[process.StartRequest, process.StartResponse](rt, procconnect.ProcessStartProcedure),
		connect:     stream[process.ConnectRequest, process.ConnectResponse](rt, procconnect.ProcessConnectProcedure),
		list:        silent[process.ListRequest, process.ListResponse](rt, procconnect.ProcessListProcedure),
		update:      silent[process.UpdateRequest, process.UpdateResponse](rt, procconnect.ProcessUpdateProcedure),
		streamInput: call[process.StreamInputRequest, process.StreamInputResponse](rt, procconnect.ProcessStreamInputProcedure),
		sendInput:   silent[process.SendInputRequest, process.SendInputResponse](rt, procconnect.ProcessSendInputProcedure),
		closeStdin:  silent[process.CloseStdinRequest, process.CloseStdinResponse](rt, procconnect.ProcessCloseStdinProcedure),
		sendSignal:  silent[process.SendSignalRequest, process.SendSignalResponse](rt, procconnect.ProcessSendSignalProcedure),

		stat:    call[filesystem.StatRequest, filesystem.StatResponse](rt, fsconnect.FilesystemStatProcedure),
		makeDir: call[filesystem.MakeDirRequest, filesystem.MakeDirResponse](rt, fsconnect.FilesystemMakeDirProcedure),
		move:    call[filesystem.MoveRequest, filesystem.MoveResponse](rt, fsconnect.FilesystemMoveProcedure),
		listDir: call[filesystem.ListDirRequest, filesystem.ListDirResponse](rt, fsconnect.FilesystemListDirProcedure),
		remove:  silent[filesystem.RemoveRequest, filesystem.RemoveResponse](rt, fsconnect.FilesystemRemoveProcedure),
		watch:   stream[filesystem.WatchDirRequest, filesystem.WatchDirResponse](rt, fsconnect.FilesystemWatchDirProcedure),
	}
}

// call and stream return the client of one procedure. Compression is off: it
// gains nothing on a socket of this host, and a small message that unpacks to a
// large one is never welcome.
func call[Req, Res any](rt http.RoundTripper, name string, opts ...connect.ClientOption) *connect.Client[Req, Res] {
	return connect.NewClient[Req, Res](boundedDoer{rt}, baseURL+name, connect.WithReadMaxBytes(maxMessage),
		connect.WithAcceptCompression("gzip", nil, nil), connect.WithClientOptions(opts...))
}

// silent is call for answers without fields. In JSON they are not of length
// zero, as they are in binary: net/http hands the connection of an answer without
// a body to the next request before the call has returned, so that a
// cancellation at that moment fails somebody else's request.
func silent[Req, Res any](rt http.RoundTripper, name string) *connect.Client[Req, Res] {
	return call[Req, Res](rt, name, connect.WithProtoJSON())
}

func stream[Req, Res any](rt http.RoundTripper, name string) *connect.Client[Req, Res] {
	return connect.NewClient[Req, Res](doer{rt}, baseURL+name,
		connect.WithReadMaxBytes(maxEvent), connect.WithAcceptCompression("gzip", nil, nil))
}

// doer makes a RoundTripper an HTTP client that follows no redirect: an agent
// has none to give.
type doer struct{ rt http.RoundTripper }

func (d doer) Do(req *http.Request) (*http.Response, error) { return d.rt.RoundTrip(req) }

// boundedDoer is a doer whose answers end at maxMessage. The bound of connect
// is not enough: it reads to the end of what exceeds it, and has none for the
// body of an error.
type boundedDoer struct{ rt http.RoundTripper }

func (d boundedDoer) Do(req *http.Request) (*http.Response, error) {
	res, err := d.rt.RoundTrip(req)
	if err == nil {
		res.Body = &boundedBody{ReadCloser: res.Body, left: maxMessage}
	}
	return res, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, tooLarge(maxMessage)
	}
	return n, err
}

func tooLarge(limit int) error {
	return &adapters.Error{
		Kind: adapters.ErrExhausted,
		Err:  fmt.Errorf("the agent's answer is larger than %d bytes", limit),
	}
}

// CloseIdleConnections gives back the RoundTripper's idle connections.
func (c *Client) CloseIdleConnections() {
	if rt, ok := c.rt.(interface{ CloseIdleConnections() }); ok {
		rt.CloseIdleConnections()
	}
}

// unary makes one call, for which the agent gets no longer than our patience. Headers come in pairs of
// name and value; a pair without value is left out.
func unary[Req, Res any](ctx context.Context, client *connect.Client[Req, Res], msg *Req, headers ...string) (*Res, error) {
	bounded, cancel := withPatience(ctx)
	defer cancel()
	return exchange(ctx, bounded, client, msg, headers)
}

// exchange makes one call with a context of its own; ctx is the caller's.
func exchange[Req, Res any](ctx, own context.Context, client *connect.Client[Req, Res], msg *Req, headers []string) (*Res, error) {
	req := connect.NewRequest(msg)
	setHeaders(req.Header(), headers)
	res, err := client.CallUnary(own, req)
	if _, limited := ctx.Deadline(); limited && connect.CodeOf(err) == connect.CodeDeadlineExceeded {
		// The agent knows the deadline, too, and may be quicker to say so.
		return nil, &adapters.Error{Kind: adapters.ErrTimeout, Err: context.DeadlineExceeded}
	}
	if err != nil {
		return nil, mapError(ctx, err)
	}
	return res.Msg, nil
}

func setHeaders(h http.Header, pairs []string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			h.Set(pairs[i], pairs[i+1])
		}
	}
}

// basicAuth is how E2B's protocol names the user that a call acts as; empty
// is the sandbox's default user.
func basicAuth(user string) string {
	if user == "" {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"))
}
