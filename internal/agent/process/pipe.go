package process

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/output"
)

// scratch buffers are as large as a pipe, and are only held while there is
// something to read: a thousand silent processes need none.
var scratch = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// pipe is the reading end of one of a process's outputs.
type pipe struct {
	file   *os.File
	stream output.Stream
}

// copyTo moves bytes until the end of the pipe or until stop.
func (p *pipe) copyTo(r *output.Ring) {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	var buf *[64 << 10]byte
	var n int
	var readErr error
	read := func(fd uintptr) bool {
		buf = scratch.Get().(*[64 << 10]byte)
		n, readErr = readOnce(int(fd), buf[:])
		if n <= 0 && errors.Is(readErr, unix.EAGAIN) {
			scratch.Put(buf)
			return false
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
	p.drain(r)
}

// stop makes copyTo return once it has read what is in the pipe now.
func (p *pipe) stop() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) }

// drain reads what is in the pipe. It stops after as much as a pipe can hold,
// since somebody may go on writing.
func (p *pipe) drain(r *output.Ring) {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	buf := scratch.Get().(*[64 << 10]byte)
	defer scratch.Put(buf)
	_ = conn.Control(func(fd uintptr) {
		for total := 0; total < len(buf); {
			n, err := readOnce(int(fd), buf[:])
			if n <= 0 || err != nil {
				return
			}
			r.Write(p.stream, buf[:n])
			total += n
		}
	})
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
