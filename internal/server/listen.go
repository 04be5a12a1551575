package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/pkg/quixand"
)

const (
	headerTimeout = 10 * time.Second // for a request's headers to come
	idleTimeout   = 2 * time.Minute  // of a connection between requests
	maxHeader     = 64 << 10         // bytes
)

// unixPrefix stands before the path of a unix socket in an address.
const unixPrefix = "unix:"

// Listen listens at HOST:PORT or unix:PATH. Without TLS only this machine can be
// let in: keys and tokens would travel in the clear.
func Listen(ctx context.Context, address string, config *tls.Config) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		return listenUnix(ctx, path)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &quixand.Error{Kind: quixand.ErrInvalid, Err: err, Hint: "an address is HOST:PORT or unix:PATH"}
	}
	if ip := net.ParseIP(host); config == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errInTheClear(address)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil || config == nil {
		return l, err
	}
	return tls.NewListener(l, config), nil
}

func errInTheClear(address string) error {
	return &quixand.Error{
		Kind: quixand.ErrInvalid,
		Err:  fmt.Errorf("%s can be reached from other machines, and keys would travel in the clear", address),
		Hint: "use 127.0.0.1, or give --tls-cert and --tls-key",
	}
}

// Inherit holds a listener that a service manager has made to the rules of
// Listen.
func Inherit(l net.Listener, config *tls.Config) (net.Listener, error) {
	if l == nil {
		return nil, &quixand.Error{Kind: quixand.ErrInvalid, Err: errors.New("the service manager has passed something that is no listening socket")}
	}
	address, ok := l.Addr().(*net.TCPAddr)
	switch {
	case !ok:
		return l, nil
	case config != nil:
		return tls.NewListener(l, config), nil
	case !address.IP.IsLoopback():
		return nil, errInTheClear(address.String())
	}
	return l, nil
}

// listenUnix makes a socket for this user alone, in place of one that a server
// which was killed has left.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if conn, err := new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
		conn.Close()
		return nil, &quixand.Error{Kind: quixand.ErrExists, Err: fmt.Errorf("a server listens at %s already", path)}
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Serve answers on the listeners until ctx ends, and then lets the requests that
// are under way end, for a while. The sandboxes live on.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	var tasks sync.WaitGroup
	tasks.Go(func() { s.boxes.follow(following) })
	tasks.Go(func() { s.sweep(following) })
	s.builds.tasks.Go(func() { s.stock.build(s.builds.life) })
	defer func() {
		s.builds.close()
		stop()
		tasks.Wait()
		s.boxes.waking.Wait()
	}()
	return s.answer(ctx, listeners)
}

// ServeMonitor answers operators until ctx ends.
func (s *Server) ServeMonitor(ctx context.Context, l net.Listener) error {
	h := s.newHTTP(s.Monitor())
	defer context.AfterFunc(ctx, func() { h.Close() })()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) newHTTP(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: min(headerTimeout, s.cfg.ReadTimeout), IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: s.cfg.Log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

// sweep removes what servers that were killed have left.
func (s *Server) sweep(ctx context.Context) {
	if err := s.uploads.spool.sweep(ctx); err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("what is left of uploads cannot be removed", "error", err)
	}
}
