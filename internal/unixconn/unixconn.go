// Package unixconn has net/http copy bodies to unix sockets in pieces as large
// as such a socket holds. A TCP connection does so by itself, and a plain
// net.UnixConn gets 32 KiB at a time: eight times the system calls, and at the
// other end as many wake-ups.
package unixconn

import (
	"io"
	"net"
	"sync"
)

// Conn is a connection that is an [io.ReaderFrom].
type Conn struct{ *net.UnixConn }

// A unix socket holds a little less.
var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// ReadFrom implements [io.ReaderFrom].
func (c Conn) ReadFrom(r io.Reader) (int64, error) {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c.UnixConn}, struct{ io.Reader }{r}, buf[:])
}
