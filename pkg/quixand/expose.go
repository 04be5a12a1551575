package quixand

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// Expose listens on the host's loopback at hostPort, or at a free port when
// that is zero, and forwards every connection to port inside the sandbox,
// until the sandbox is gone, ctx ends or the Listener is closed. Every user of
// the host can connect to it. The forwarding alone does not keep the sandbox
// from being idle; connections do.
func (s *Sandbox) Expose(ctx context.Context, port, hostPort int) (*Listener, error) {
	l, err := s.expose(ctx, port, hostPort)
	if err != nil {
		return nil, s.wrap(ctx, "expose", err)
	}
	return l, nil
}

func (s *Sandbox) expose(ctx context.Context, port, hostPort int) (*Listener, error) {
	if err := checkPort(port); err != nil {
		return nil, err
	}
	if hostPort != 0 {
		if err := checkPort(hostPort); err != nil {
			return nil, err
		}
	}
	if err := s.hello(ctx); err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(hostPort)))
	if err != nil {
		return nil, listenError(err)
	}
	l := &Listener{sandbox: s, port: port, tcp: tcp, done: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.work.Go(l.accept)
	l.work.Go(l.awaitEnd)
	go l.finish()
	return l, nil
}

// Listener is a port of a sandbox on the host's loopback.
type Listener struct {
	sandbox *Sandbox
	port    int
	tcp     net.Listener
	ctx     context.Context // the Listener's life; its cause is how it ended
	cancel  context.CancelCauseFunc
	work    sync.WaitGroup // all goroutines but finish
	done    chan struct{}
	err     error // to be read after done
}

// Addr is the address to connect to, such as 127.0.0.1:41234.
func (l *Listener) Addr() net.Addr { return l.tcp.Addr() }

// Close stops listening, ends the forwarded connections and waits for them.
func (l *Listener) Close() error {
	l.cancel(errClosed)
	<-l.done
	return nil
}

// Done is closed when the Listener has ended; Err says why.
func (l *Listener) Done() <-chan struct{} { return l.done }

// Err is nil before Done and after Close. When the sandbox was the first to
// go, it is ErrNotFound.
func (l *Listener) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

var errClosed = errors.New("listener was closed")

// finish tears down what the end of the Listener's context ends.
func (l *Listener) finish() {
	<-l.ctx.Done()
	_ = l.tcp.Close()
	l.work.Wait()
	if cause := context.Cause(l.ctx); !errors.Is(cause, errClosed) {
		l.err = l.sandbox.wrap(context.Background(), "expose", cause)
	}
	close(l.done)
}

// awaitEnd ends the Listener with the sandbox. The agent says nothing on this
// one stream; that it ends is the news.
func (l *Listener) awaitEnd() {
	err := l.sandbox.agent.AwaitEnd(l.ctx)
	if err == nil {
		err = errAgentEnded
	}
	l.cancel(err)
}

var errAgentEnded = &Error{Kind: ErrUnavailable, Err: errors.New("the agent has ended")}

func (l *Listener) accept() {
	for {
		conn, err := l.tcp.Accept()
		if err != nil {
			l.cancel(listenError(err))
			return
		}
		l.work.Go(func() { l.forward(conn) })
	}
}

// forward carries one connection. What nobody listens for inside is closed, as
// a refused connection would be, had it been made there.
func (l *Listener) forward(outside net.Conn) {
	defer outside.Close()
	inside, err := l.sandbox.dialPort(l.ctx, l.port)
	if err != nil {
		l.sandbox.client.cfg.Logger.Debug("connection refused", "sandbox", l.sandbox.id, "port", l.port, "error", err)
		return
	}
	defer inside.Close()
	stop := context.AfterFunc(l.ctx, func() {
		_ = outside.Close()
		_ = inside.Close()
	})
	defer stop()
	var other sync.WaitGroup
	other.Go(func() { carry(inside, outside) })
	carry(outside, inside)
	other.Wait()
}

// carry copies one direction and passes its end on. A connection that cannot
// close one half is closed as a whole.
func carry(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}

// listenError gives the kernel's refusal of a port its kind.
func listenError(err error) error {
	e := &Error{Kind: ErrInternal, Err: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e.Kind, e.Hint = ErrExists, "choose another host port, or 0 for any free one"
	case errors.Is(err, syscall.EACCES):
		e.Kind, e.Hint = ErrPermission, "choose a host port above 1023, or 0 for any free one"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		e.Kind = ErrExhausted
	}
	return e
}
