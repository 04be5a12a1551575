package bridge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// stream opens one over the link when that is made, and waits for the word that
// it leads to the agent.
func (k *link) stream(ctx context.Context) (*yamux.Stream, error) {
	select {
	case <-k.ready:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if k.err != nil {
		return nil, k.err
	}
	stream, err := k.session.OpenStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("bridge: %w", err)
	}
	// A context cannot interrupt a read, a reset can.
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	_, err = stream.Read(make([]byte, len(taken)))
	if !stop() && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = stream.Reset()
		return nil, fmt.Errorf("bridge: the agent does not answer: %w", err)
	}
	return stream, nil
}

// broken reports whether the link is of no more use.
func (k *link) broken() bool {
	select {
	case <-k.ready:
		return k.err != nil || k.session.IsClosed()
	default:
		return false
	}
}

// close ends the bridge. Nobody uses it, though somebody may have been about to.
func (k *link) close() {
	if k.retire != nil {
		k.retire.Stop()
	}
	go func() {
		<-k.ready
		if k.session != nil {
			k.session.Close()
		}
	}()
}

// linger is how long the sandbox has for its last words after a stream was
// closed on this side.
const linger = 200 * time.Millisecond

// conn is a stream that its link counts.
type conn struct {
	*yamux.Stream

	once sync.Once
	done func()
}

// Read reads what the sandbox sends.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	return n, deadline(err)
}

// Write sends to the sandbox.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Stream.Write(p)
	return n, deadline(err)
}

// deadline says of a deadline that has passed what other connections say.
func deadline(err error) error {
	if errors.Is(err, yamux.ErrTimeout) {
		return os.ErrDeadlineExceeded
	}
	return err
}

// Close ends both directions, as closing a socket does: what was written still
// arrives, and whoever goes on writing to us is told that nobody reads.
func (c *conn) Close() (err error) {
	c.once.Do(func() {
		err = c.Stream.CloseWrite()
		_ = c.Stream.SetReadDeadline(time.Unix(1, 0))
		time.AfterFunc(linger, func() {
			_ = c.Stream.Reset()
			c.done()
		})
	})
	return err
}
