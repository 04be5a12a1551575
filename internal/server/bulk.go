package server

import (
	"io"
	"net/http/httputil"
	"slices"
	"sync"

	"github.com/quixand/quixand/internal/agentapi"
)

// Sizes of what bodies are copied through. A stream holds its buffer for as long
// as it lasts, though nothing happens on it. Files are moved in pieces as large
// as a socket takes: each costs both ends a system call, and node an event.
const (
	streamBytes = 32 << 10
	fileBytes   = 256 << 10
)

// pathFiles is E2B's.
const pathFiles = "/files"

// movesFiles reports whether a request of an agent is for the contents of files.
func movesFiles(path string) bool {
	return slices.Contains([]string{pathFiles, agentapi.PathArchive}, path)
}

// buffers lends buffers of one size.
type buffers struct{ pool sync.Pool }

var _ httputil.BufferPool = (*buffers)(nil)

func newBuffers(size int) *buffers {
	b := new(buffers)
	b.pool.New = func() any { buf := make([]byte, size); return &buf }
	return b
}

// Get implements [httputil.BufferPool].
func (b *buffers) Get() []byte { return *b.pool.Get().(*[]byte) }

// Put implements [httputil.BufferPool].
func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }

// bulk is a request's body that net/http would copy in pieces of 32 KiB.
type bulk struct {
	io.ReadCloser
	buffers *buffers
}

// WriteTo implements [io.WriterTo].
func (b *bulk) WriteTo(w io.Writer) (int64, error) {
	buf := b.buffers.Get()
	defer b.buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, b.ReadCloser, buf)
}
