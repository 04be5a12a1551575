package podman

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/blang/semver/v4"
	"github.com/containers/podman/v5/pkg/bindings"
	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/lazy"
	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/internal/statedir"
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
	log     hclog.Logger
	runtime string // that the user wants, or empty
	host    host
	builds  *statedir.Runtime // marks of builds
	locate  func() (endpoint, error)
	conn    *lazy.Value[connection]
}

// connection is an engine that has answered. It survives an engine that goes
// away and comes back: each dial finds or starts it anew.
type connection struct {
	bindings.Connection
	version   semver.Version // of the API
	socket    string
	transport *http.Transport
}

// newEngine returns an engine that, if it must be started, listens in dir.
func newEngine(cfg adapters.Config, dir string) *engine {
	e := &engine{
		log:     cfg.Logger,
		runtime: cfg.Runtime,
		host:    localHost{},
		builds:  statedir.OpenBuilds(cfg.Root),
		locate:  func() (endpoint, error) { return locate(dir) },
	}
	e.conn = lazy.New(e.connect)
	return e
}

// use returns the connection.
func (e *engine) use(ctx context.Context) (*connection, error) {
	conn, err := e.conn.Get(ctx)
	return conn, mapError(err)
}

// Close gives back the idle connections.
func (e *engine) Close() {
	if conn := e.conn.Drop(); conn != nil {
		conn.transport.CloseIdleConnections()
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
	c := &connection{transport: &http.Transport{
		DialContext:         dialer.dial,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 16,
		// Shorter than the service's own, so that we never write into a
		// connection that it is closing.
		IdleConnTimeout: 20 * time.Second,
	}}
	c.Connection = bindings.Connection{
		URI:    &url.URL{Scheme: "unix"},
		Client: &http.Client{Transport: once{c.transport}},
	}
	if err := c.ping(ctx); err != nil {
		return nil, err
	}
	c.socket = dialer.socket()
	e.log.Debug("connected", "socket", c.socket, "api", c.version, "elapsed", time.Since(began))
	return c, nil
}

// ping learns the version of the engine that answers, and whether it is one of
// those that this adapter speaks to.
func (c *connection) ping(ctx context.Context) error {
	resp, err := c.DoRequest(ctx, nil, http.MethodGet, "/_ping", nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := resp.Process(nil); err != nil {
		return err
	}
	c.version, err = semver.ParseTolerant(resp.Header.Get("Libpod-API-Version"))
	if err != nil {
		return errNotPodman
	}
	if c.version.GE(oldestAPI) && c.version.LT(beyondAPI) {
		return nil
	}
	return &adapters.Error{
		Adapter: Name, Kind: adapters.ErrUnsupported,
		Err:  fmt.Errorf("the engine's API has version %s", c.version),
		Hint: "use Podman 4.3 or newer, before 6",
	}
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

func (b failedBody) Read([]byte) (int, error) { return 0, &local.NoAnswer{Err: b.err} }
func (b failedBody) Close() error             { return nil }

var _ io.ReadCloser = failedBody{}
