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

// scratch buffers are as large as a pipe by default, and are only held while there is
// something to read: a thousand silent processes need none.
var scratch = sync.Pool{New: func() any { return new([64 << 10]byte) }}

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
}

// finish reads a bare pipe of a process that has ended, without waiting for
// anybody. It reports whether the end of the pipe was reached: not if somebody
// else holds it too, or if what it brought has no room.
func (p *pipe) finish(r *output.Ring) bool {
	buf := scratch.Get().(*[64 << 10]byte)
	defer scratch.Put(buf)
	for {
		n, err := readOnce(p.fd, buf[:])
		if n <= 0 {
			return !errors.Is(err, unix.EAGAIN)
		}
		if !r.TryWrite(p.stream, buf[:n]) {
			p.rest = bytes.Clone(buf[:n])
			return false
		}
	}
}

// attend gives a bare pipe to the runtime's poller.
func (p *pipe) attend() {
	if p.file == nil {
		p.file, p.fd = os.NewFile(uintptr(p.fd), "pipe"), -1
	}
}

// copyTo moves an attended pipe's bytes until its end, or until stop.
func (p *pipe) copyTo(r *output.Ring) {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	r.Write(p.stream, p.rest)
	p.rest = nil
	var buf *[64 << 10]byte
	var n int
	var readErr error
	grown := false
	read := func(fd uintptr) bool {
		buf = scratch.Get().(*[64 << 10]byte)
		n, readErr = readOnce(int(fd), buf[:])
		if n <= 0 && errors.Is(readErr, unix.EAGAIN) {
			scratch.Put(buf)
			return false
		}
		if n == len(buf) && !grown {
			grown = true
			// Beyond what the kernel grants one user it stays as it is, and so
			// does a terminal.
			_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, busyPipe)
		}
		return true
	}
	for {
		if conn.Read(read) != nil {
			break // stopped
		}
		if n > 0 {
			r.Write(p.stream, buf[:n])
		}
		scratch.Put(buf)
		if n <= 0 {
			return // EOF, or EIO: the last end of a terminal was closed
		}
	}
	p.drain(r, conn)
}

// stop makes copyTo return once it has read what is in the pipe now.
func (p *pipe) stop() {
	if p.file != nil {
		_ = p.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// drain reads what is in the pipe. It stops after as much as a pipe can hold,
// since somebody may go on writing.
func (p *pipe) drain(r *output.Ring, conn syscall.RawConn) {
	buf := scratch.Get().(*[64 << 10]byte)
	defer scratch.Put(buf)
	_ = conn.Control(func(fd uintptr) {
		for total := 0; total < busyPipe; {
			n, err := readOnce(int(fd), buf[:])
			if n <= 0 || err != nil {
				return
			}
			r.Write(p.stream, buf[:n])
			total += n
		}
	})
}

func (p *pipe) close() {
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
