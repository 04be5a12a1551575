package buildkit

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/buildkit/wire"
)

// chunk is how much of the files goes in one message. The daemon takes up to
// 16 MB.
const chunk = 256 << 10

// The methods by which the daemon asks.
const (
	methodHealth = "/grpc.health.v1.Health/Check"
	methodSecret = "/moby.buildkit.secrets.v1.Secrets/GetSecret" //nolint:gosec // no secret is in it
	methodLogin  = "/moby.filesync.v1.Auth/Credentials"
	methodUpload = "/moby.upload.v1.Upload/Pull"
)

// session answers the daemon's questions during one build. It is a server on a
// connection that this side has opened.
type session struct {
	id      string
	from    *source
	login   func(host string) (user, secret string, err error)
	sent    atomic.Bool
	conn    net.Conn
	server  *http.Server
	serving sync.WaitGroup
}

// open makes the session known to the daemon.
func (s *session) open(ctx context.Context, dial Dial) error {
	conn, err := dial(ctx, "/session", map[string][]string{
		"X-Docker-Expose-Session-Uuid":        {s.id},
		"X-Docker-Expose-Session-Name":        {"quixand"},
		"X-Docker-Expose-Session-Grpc-Method": {methodHealth, methodSecret, methodLogin, methodUpload},
	})
	if err != nil {
		return err
	}
	s.conn, s.server = conn, &http.Server{Handler: s.handler(), Protocols: unencrypted()}
	s.serving.Go(func() { _ = s.server.Serve(newSingle(conn)) })
	return nil
}

// close hangs up.
func (s *session) close() {
	_ = s.server.Close()
	_ = s.conn.Close()
	s.serving.Wait()
}

func (s *session) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(methodHealth, connect.NewUnaryHandlerSimple(methodHealth, healthy))
	mux.Handle(methodSecret, connect.NewUnaryHandlerSimple(methodSecret, s.secret))
	mux.Handle(methodLogin, connect.NewUnaryHandlerSimple(methodLogin, s.credentials))
	mux.Handle(methodUpload, connect.NewBidiStreamHandler(methodUpload, s.upload))
	return mux
}

// healthy is asked every five seconds.
func healthy(context.Context, *wire.HealthRequest) (*wire.HealthResponse, error) {
	return &wire.HealthResponse{Status: wire.HealthResponse_SERVING_YES}, nil
}

func (s *session) secret(_ context.Context, request *wire.SecretRequest) (*wire.SecretResponse, error) {
	content, ok := s.from.secrets[request.GetId()]
	if !ok {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no such secret was given"))
	}
	return &wire.SecretResponse{Data: content}, nil
}

func (s *session) credentials(_ context.Context, request *wire.CredentialsRequest) (*wire.CredentialsResponse, error) {
	user, secret, err := s.login(request.GetHost())
	return &wire.CredentialsResponse{Username: user, Secret: secret}, err
}

// upload streams recipe and files to the daemon, as fast as that takes them.
func (s *session) upload(_ context.Context, stream *connect.BidiStream[wire.Bytes, wire.Bytes]) error {
	if s.sent.Swap(true) {
		return connect.NewError(connect.CodeFailedPrecondition, errors.New("the files were sent before"))
	}
	w := bufio.NewWriterSize(messages{stream}, chunk)
	if err := s.from.write(w); err != nil {
		return err
	}
	return w.Flush()
}

// messages is a stream as a writer.
type messages struct {
	*connect.BidiStream[wire.Bytes, wire.Bytes]
}

func (m messages) Write(p []byte) (int, error) {
	if err := m.Send(&wire.Bytes{Data: p}); err != nil {
		return 0, err
	}
	return len(p), nil
}

// single is a listener for one connection that is there already.
type single struct {
	conn chan net.Conn
	addr net.Addr
	once sync.Once
}

func newSingle(conn net.Conn) *single {
	l := &single{conn: make(chan net.Conn, 1), addr: conn.LocalAddr()}
	l.conn <- conn
	return l
}

// Accept implements [net.Listener].
func (l *single) Accept() (net.Conn, error) {
	if conn, ok := <-l.conn; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

// Close implements [net.Listener].
func (l *single) Close() error {
	l.once.Do(func() { close(l.conn) })
	return nil
}

// Addr implements [net.Listener].
func (l *single) Addr() net.Addr { return l.addr }
