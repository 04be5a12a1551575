package quixand

import (
	"errors"
	"io"
	"sync"
)

// pipeSize is how much a pipe holds, as the kernel's do: two of them can be
// read one after the other as long as the second has no more.
const pipeSize = 64 << 10

// pipe is a buffered pipe from the goroutine that delivers a command's output
// to the one that reads it.
type pipe struct {
	mu      sync.Mutex
	changed sync.Cond
	buf     []byte
	ended   error // for the reader, once buf is empty
	unread  bool  // the reader has gone
}

// errUnread is what the writer gets once the reader has closed its end.
var errUnread = errors.New("nobody reads the pipe any more")

func newPipe() *pipe {
	p := &pipe{}
	p.changed.L = &p.mu
	return p
}

// Write waits while the pipe is full.
func (p *pipe) Write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(b) > 0 {
		for len(p.buf) >= pipeSize && p.ended == nil && !p.unread {
			p.changed.Wait()
		}
		if p.unread {
			return n, errUnread
		}
		if p.ended != nil {
			return n, io.ErrClosedPipe
		}
		k := min(len(b), pipeSize-len(p.buf))
		p.buf = append(p.buf, b[:k]...)
		n, b = n+k, b[k:]
		p.changed.Broadcast()
	}
	return n, nil
}

// Read waits while the pipe is empty.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == 0 && p.ended == nil && !p.unread {
		p.changed.Wait()
	}
	if p.unread {
		return 0, io.ErrClosedPipe
	}
	if len(p.buf) == 0 {
		return 0, p.ended
	}
	n := copy(b, p.buf)
	p.buf = append(p.buf[:0], p.buf[n:]...)
	p.changed.Broadcast()
	return n, nil
}

// Close is the reader's: the writer learns that nobody reads.
func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unread = true
	p.changed.Broadcast()
	return nil
}

// closeWithError is the writer's: it ends the stream, with err behind what the
// pipe still holds.
func (p *pipe) closeWithError(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.ended = err
	}
	p.changed.Broadcast()
}

func closePipes(pipes []*pipe, err error) {
	for _, p := range pipes {
		p.closeWithError(err)
	}
}
