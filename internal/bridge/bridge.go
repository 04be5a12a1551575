// Package bridge leads to an agent whose directory cannot be shared with the
// host, because its engine runs on another machine or in another user
// namespace: one engine exec that stays open carries any number of byte
// streams.
//
// Inside, [Serve] is what the exec runs, as `qs-agent bridge`: it connects
// every stream that the host opens to the agent's socket. Outside, [Links] keeps
// one exec for each sandbox that is talked to. Streams are multiplexed by yamux,
// each with a window of its own, so that one whose reader is slow holds up
// neither the others nor the engine.
//
// The host believes a bridge as little as an agent: what it can do is bounded by
// the multiplexer's windows, and only the host opens streams.
package bridge

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// Verb is the first argument of the command that [Serve] is.
const Verb = "bridge"

// config is that of both ends.
func config() *yamux.Config {
	c := yamux.DefaultConfig()
	// What a stream may have under way, and so what a slow reader makes this
	// process hold. The way is short: more buys no speed.
	c.MaxStreamWindowSize = 1 << 20
	// An engine says when its exec has ended, and a sandbox that is frozen
	// answers no questions.
	c.EnableKeepAlive = false
	c.LogOutput = io.Discard
	// Enough for all connections that a busy sandbox's clients keep.
	c.MaxIncomingStreams, c.AcceptBacklog = 4096, 4096
	return c
}

// Serve connects the streams that come over rw to what dial reaches, until rw
// ends.
func Serve(rw io.ReadWriteCloser, dial func(context.Context) (net.Conn, error)) error {
	session, err := yamux.Server(patient{rw}, config(), nil)
	if err != nil {
		return err
	}
	defer session.Close()
	ctx, stop := context.WithCancel(context.Background())
	var streams sync.WaitGroup
	defer streams.Wait()
	defer stop()
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return ended(err)
		}
		streams.Go(func() { connect(ctx, stream, dial) })
	}
}

// ended is nil for the end of a session that is nobody's failure.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, yamux.ErrSessionShutdown) || errors.Is(err, yamux.ErrRemoteGoAway) {
		return nil
	}
	return err
}

// taken is the first word on a stream: the agent has it.
var taken = []byte{'+'}

// halved is a connection of which each side can finish by itself.
type halved interface {
	net.Conn
	CloseWrite() error
}

// connect joins a stream with a connection of its own. Each side's end is
// passed on; an error ends both.
func connect(ctx context.Context, stream *yamux.Stream, dial func(context.Context) (net.Conn, error)) {
	conn, err := dial(ctx)
	if err != nil {
		_ = stream.Reset()
		return
	}
	agent, ok := conn.(halved)
	if !ok {
		panic("bridge: cannot half-close what was dialed")
	}
	breakOff := func() {
		_ = stream.Reset()
		agent.Close()
	}
	defer breakOff()
	defer context.AfterFunc(ctx, breakOff)()
	if _, err := stream.Write(taken); err != nil {
		return
	}
	var outward sync.WaitGroup
	outward.Go(func() {
		if !pass(stream, agent) {
			breakOff()
		}
	})
	if !pass(agent, stream) {
		breakOff()
	}
	outward.Wait()
}

// pass copies until src ends and reports whether dst could be told.
func pass(dst, src halved) bool {
	if _, err := io.Copy(dst, src); err != nil {
		return false
	}
	return dst.CloseWrite() == nil
}

// patient is a byte stream as yamux wants it, without deadlines: it would give
// up a connection for a write that takes ten seconds, and a write to a sandbox
// that is frozen takes as long as that is.
type patient struct{ io.ReadWriteCloser }

func (patient) SetDeadline(time.Time) error      { return nil }
func (patient) SetReadDeadline(time.Time) error  { return nil }
func (patient) SetWriteDeadline(time.Time) error { return nil }
func (patient) LocalAddr() net.Addr              { return address{} }
func (patient) RemoteAddr() net.Addr             { return address{} }

type address struct{}

func (address) Network() string { return "bridge" }
func (address) String() string  { return "bridge" }

// Stdio is two files as one byte stream.
type Stdio struct {
	io.ReadCloser
	io.WriteCloser
}

// Close closes both.
func (s Stdio) Close() error { return errors.Join(s.ReadCloser.Close(), s.WriteCloser.Close()) }
