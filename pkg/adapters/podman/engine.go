package podman

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/blang/semver/v4"
	"github.com/containers/podman/v5/pkg/bindings"
	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/pkg/adapters"
)

// The versions of the REST API that this adapter speaks.
var (
	oldestAPI = semver.MustParse("4.3.0")
	beyondAPI = semver.MustParse("6.0.0")
)

// connectTimeout is for an engine that takes a connection and says nothing.
const connectTimeout = 30 * time.Second

// engine is the connection to Podman's REST API, made when it is first needed.
type engine struct {
	log    hclog.Logger
	locate func() (endpoint, error)

	turn chan struct{} // a mutex that a context can stop waiting for
	conn *connection
}

// connection is an engine that has answered. It survives an engine that goes
// away and comes back: each dial finds or starts it anew.
type connection struct {
	values    context.Context // holds what the bindings look for
	version   *semver.Version // of the API
	socket    string
	transport *http.Transport
}

func newEngine(log hclog.Logger) *engine {
	return &engine{log: log, locate: locate, turn: make(chan struct{}, 1)}
}

// use returns ctx such that the bindings find the engine in it. It connects
// when nobody has yet; an error is not kept, the next call tries again.
func (e *engine) use(ctx context.Context) (context.Context, *connection, error) {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, nil, mapError(context.Cause(ctx))
	}
	if e.conn == nil {
		conn, err := e.connect(ctx)
		if err != nil {
			return nil, nil, err
		}
		e.conn = conn
	}
	return &engineContext{ctx, e.conn.values}, e.conn, nil
}

func (e *engine) close() {
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	if e.conn != nil {
		e.conn.transport.CloseIdleConnections()
		e.conn = nil
	}
}

func (e *engine) connect(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	began := time.Now()
	at, err := e.locate()
	if err != nil {
		return nil, err
	}
	dialer := &dialer{endpoint: at, log: e.log}
	// The bindings dial for themselves once, to see who answers. So there
	// must be somebody; they would not start one.
	first, err := dialer.dial(ctx)
	if err != nil {
		return nil, err
	}
	first.Close()
	values, err := ping(ctx, first.socket)
	if err != nil {
		return nil, mapError(err)
	}
	client, err := bindings.GetClient(values)
	if err != nil {
		return nil, mapError(err)
	}
	client.Client.CloseIdleConnections()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dialer.dial(ctx)
			if err != nil { // a nil link is no nil Conn
				return nil, err
			}
			return conn, nil
		},
		DisableCompression:  true,
		MaxIdleConnsPerHost: 16,
		// Shorter than the service's own, so that we never write into a
		// connection that it is closing.
		IdleConnTimeout: 20 * time.Second,
	}
	client.Client = &http.Client{Transport: once{transport}}

	version := bindings.ServiceVersion(values)
	e.log.Debug("connected", "socket", first.socket, "api", version, "elapsed", time.Since(began))
	return &connection{values, version, first.socket, transport}, checkVersion(version)
}

// ping lets the bindings connect. They keep the context that they are given,
// so it is none of a caller's: it would live as long as the connection.
func ping(ctx context.Context, socket string) (context.Context, error) {
	own, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	values, err := bindings.NewConnection(own, "unix://"+socket)
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	return values, err
}

func checkVersion(v *semver.Version) error {
	if v.GE(oldestAPI) && v.LT(beyondAPI) {
		return nil
	}
	return &adapters.Error{
		Adapter: Name, Kind: adapters.ErrUnsupported,
		Err:  fmt.Errorf("the engine's API has version %s", v),
		Hint: hintVersion,
	}
}

// engineContext is a call's own context with the values of the connection.
type engineContext struct {
	context.Context
	values context.Context
}

func (c *engineContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// once keeps the bindings from sending a request again. They do so after any
// error, with sleeps in between: a cancelled call would return late, and a
// creation whose answer is lost would be asked for twice. An error therefore
// becomes an answer, whose body fails with it.
type once struct{ *http.Transport }

func (t once) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(req)
	if err != nil {
		resp = &http.Response{
			StatusCode: http.StatusServiceUnavailable,
			Header:     make(http.Header),
			Body:       failedBody{err},
			Request:    req,
		}
	}
	return resp, nil
}

type failedBody struct{ err error }

func (b failedBody) Read([]byte) (int, error) { return 0, &transportError{b.err} }
func (b failedBody) Close() error             { return nil }

// transportError marks an error that the engine did not answer, but that kept
// its answer from coming.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

var _ io.ReadCloser = failedBody{}
