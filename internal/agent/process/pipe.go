package process

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/output"
)

// busyPipe is the size of a pipe that was found full once. The kernel's default
// is a quarter of it, and halves the throughput: with little room, writer and
// reader wait for each other all the time.
const busyPipe = 256 << 10

// chunk is as large as a pipe by default.
type chunk [64 << 10]byte

// chunks are only held while there is something to read: a thousand silent
// processes need none.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

// pipe is the reading end of one of a process's outputs.
//
// It begins as a bare descriptor. Most commands end soon, and then their
// pipes are emptied once, by whoever sees the end: a goroutine for each pipe,
// and the runtime's poller, come into it only for those that go on.
type pipe struct {
	stream output.Stream
	fd     int      // until it is attended, then -1
	rest   []byte   // read, and not in the ring yet
	file   *os.File // since it is attended; a terminal is from the start
	grown  bool

	mu      sync.Mutex
	stopped bool              // copyTo is to return, or has
	waiting []chan<- struct{} // see catchUp
}

// take reads what is in a bare pipe, without waiting for anybody. It reports
// whether the end of the pipe was reached: not if somebody still holds the
// other end, or if what it brought has no room.
func (p *pipe) take(r *output.Ring) bool {
	c := chunks.Get().(*chunk)
	defer chunks.Put(c)
	// The second read finds the end, unless somebody goes on writing.
	for range 2 {
		n, err := readOnce(p.fd, c[:])
		if n <= 0 {
			return !errors.Is(err, unix.EAGAIN)
		}
		if !r.TryWrite(p.stream, c[:n]) {
			p.rest = bytes.Clone(c[:n])
			return false
		}
	}
	return false
}

// attend gives a bare pipe to the runtime's poller.
func (p *pipe) attend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		p.file, p.fd = os.NewFile(uintptr(p.fd), "pipe"), -1
	}
	if p.stopped || len(p.waiting) > 0 {
		p.interrupt()
	}
}

// copyTo moves an attended pipe's bytes until its end, or until stop.
func (p *pipe) copyTo(r *output.Ring) {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	defer p.ended()
	r.Write(p.stream, p.rest)
	p.rest = nil
	for {
		c, n, err := p.next(conn)
		if err != nil {
			waiting, stopped := p.interrupted()
			p.drain(r, conn)
			release(waiting)
			if stopped {
				return
			}
			continue
		}
		if n > 0 {
			r.Write(p.stream, c[:n])
		}
		chunks.Put(c)
		if n <= 0 {
			return // EOF, or EIO: the last end of a terminal was closed
		}
	}
}

// next waits for bytes, and takes a chunk for them only when they are there.
func (p *pipe) next(conn syscall.RawConn) (c *chunk, n int, err error) {
	err = conn.Read(func(fd uintptr) bool {
		var readErr error
		c = chunks.Get().(*chunk)
		n, readErr = readOnce(int(fd), c[:])
		if n <= 0 && errors.Is(readErr, unix.EAGAIN) {
			chunks.Put(c)
			return false
		}
		if n == len(c) && !p.grown {
			p.grow(fd)
		}
		return true
	})
	return c, n, err
}

// grow enlarges a pipe. Beyond what the kernel grants one user it stays as it
// is, and so does a terminal.
func (p *pipe) grow(fd uintptr) {
	p.grown = true
	_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, busyPipe)
}

// stop makes copyTo return once it has read what is in the pipe now.
func (p *pipe) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.interrupt()
}

// catchUp returns a channel that is closed when all is in the ring that was
// written before the call.
func (p *pipe) catchUp() <-chan struct{} {
	done := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		close(done)
	} else {
		p.waiting = append(p.waiting, done)
		p.interrupt()
	}
	return done
}

// interrupt ends copyTo's waiting for bytes.
func (p *pipe) interrupt() {
	if p.file != nil {
		_ = p.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// interrupted tells for whom copyTo was interrupted. Whoever comes later
// interrupts it again.
func (p *pipe) interrupted() (waiting []chan<- struct{}, stopped bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, p.waiting = p.waiting, nil
	if !p.stopped {
		_ = p.file.SetReadDeadline(time.Time{})
	}
	return waiting, p.stopped
}

// ended releases those who wait for a pipe that has ended.
func (p *pipe) ended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	release(p.waiting)
	p.waiting = nil
}

func release(waiting []chan<- struct{}) {
	for _, done := range waiting {
		close(done)
	}
}

// drain reads what is in the pipe. It stops after as much as a pipe can hold,
// since somebody may go on writing.
func (p *pipe) drain(r *output.Ring, conn syscall.RawConn) {
	c := chunks.Get().(*chunk)
	defer chunks.Put(c)
	_ = conn.Control(func(fd uintptr) {
		for total := 0; total < busyPipe; {
			n, err := readOnce(int(fd), c[:])
			if n <= 0 || err != nil {
				return
			}
			r.Write(p.stream, c[:n])
			total += n
		}
	})
}

func (p *pipe) close() {
	p.ended()
	if p.file != nil {
		p.file.Close()
		return
	}
	unix.Close(p.fd)
}

// readOnce is read(2) without interruptions.
func readOnce(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}
