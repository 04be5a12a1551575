// Package output keeps what a process wrote until it was delivered, and a
// bounded part of it for those who come later.
//
// Every byte of a process has an offset, counted over all its streams in the
// order in which they were read. A [Ring] holds the bytes from one offset to
// another. While somebody is attached, writing waits rather than lose a byte
// that was not delivered; while nobody is, the oldest bytes make room, so that
// a process never waits for an audience.
package output

import "sync"

// Stream tells which file descriptor of the process some bytes came from.
type Stream uint8

// The streams of a process.
const (
	Stdout Stream = iota
	Stderr
	Terminal
)

const (
	minSize = 4 << 10
	// Floor is the size to which a ring may always grow; beyond it, it needs
	// a share of the budget.
	Floor = 64 << 10
	// Limit is the size beyond which no ring grows.
	Limit = 1 << 20

	// maxSegments bounds what changes between streams can cost: a process
	// that writes single bytes to its streams in turn needs one for each.
	maxSegments = 16 << 10
)

// segment is a run of bytes of one stream. It begins where the one before
// it ends.
type segment struct {
	end    int64
	stream Stream
}

// Ring is the output of one process. It is safe for concurrent use.
type Ring struct {
	budget *Budget

	mu        sync.Mutex
	delivered sync.Cond // a subscription got further, or left
	buf       []byte    // its length is a power of two
	start     int64     // offset of the oldest byte
	end       int64     // offset after the newest byte
	segs      []segment // oldest first; never empty while bytes are held
	subs      []*Subscription
	tap       func(Stream, []byte)
	closed    bool // nothing will be written any more
	drop      bool // nobody will subscribe any more
}

// NewRing returns an empty ring that takes its memory from a budget.
func NewRing(b *Budget) *Ring {
	r := &Ring{budget: b}
	r.delivered.L = &r.mu
	return r
}

// Tap has f see all bytes as they are written, in order. It is called with the
// ring's lock held, so that it must not wait, and before the first write.
func (r *Ring) Tap(f func(Stream, []byte)) { r.tap = f }

// Write appends bytes of a stream. It waits for the slowest subscription when
// there is one. After Close the bytes are dropped.
func (r *Ring) Write(s Stream, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(p) > 0 {
		n := r.makeRoom(s, len(p))
		if r.closed {
			return
		}
		r.append(s, p[:n])
		p = p[n:]
	}
}

// TryWrite appends all bytes or, where Write would wait, none.
func (r *Ring) TryWrite(s Stream, p []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(p) == 0 {
		return true
	}
	n := r.room(s, len(p))
	if n < len(p) {
		return false
	}
	r.evict(r.end + int64(n) - int64(len(r.buf)))
	r.append(s, p)
	return true
}

// makeRoom waits until at least one byte of a stream can be appended, and
// returns how many can, up to want.
func (r *Ring) makeRoom(s Stream, want int) int {
	for !r.closed {
		if n := r.room(s, want); n > 0 {
			r.evict(r.end + int64(n) - int64(len(r.buf)))
			return n
		}
		r.delivered.Wait()
	}
	return 0
}

// room returns how many bytes of a stream can be appended now, up to want.
func (r *Ring) room(s Stream, want int) int {
	kept := r.end - r.undelivered() // bytes that must not be overwritten
	if held := r.end - r.start; int(held)+want > len(r.buf) {
		r.grow(int(held) + want)
	}
	n := len(r.buf) - int(kept)
	if n <= 0 || !r.roomForSegment(s) {
		return 0
	}
	return min(n, want)
}

// undelivered is the offset from which bytes are still to be delivered.
func (r *Ring) undelivered() int64 {
	pos := r.end
	for _, s := range r.subs {
		pos = min(pos, s.pos)
	}
	return pos
}

// roomForSegment reports whether bytes of a stream can be described, dropping
// the oldest segment for it when that was delivered.
func (r *Ring) roomForSegment(s Stream) bool {
	if len(r.segs) < maxSegments || r.segs[len(r.segs)-1].stream == s {
		return true
	}
	oldest := r.segs[0].end
	if oldest > r.undelivered() {
		return false
	}
	r.evict(oldest)
	return true
}

// evict forgets all bytes before an offset.
func (r *Ring) evict(before int64) {
	if before <= r.start {
		return
	}
	r.start = before
	i := 0
	for i < len(r.segs) && r.segs[i].end <= before {
		i++
	}
	r.segs = r.segs[i:]
}

// append copies p, for which there is room, behind the newest byte.
func (r *Ring) append(s Stream, p []byte) {
	at := int(r.end) & (len(r.buf) - 1)
	n := copy(r.buf[at:], p)
	copy(r.buf, p[n:])
	r.end += int64(len(p))
	if last := len(r.segs) - 1; last >= 0 && r.segs[last].stream == s {
		r.segs[last].end = r.end
	} else {
		r.segs = append(r.segs, segment{r.end, s})
	}
	if r.tap != nil {
		r.tap(s, p)
	}
	for _, sub := range r.subs {
		sub.notify()
	}
}

// grow enlarges the buffer towards size, as far as limit and budget allow.
func (r *Ring) grow(size int) {
	want := max(len(r.buf), minSize)
	for want < min(size, Limit) {
		want *= 2
	}
	if want > Floor && !r.budget.take(want-len(r.buf), false) {
		want = max(len(r.buf), Floor)
	}
	if want <= Floor {
		r.budget.take(want-len(r.buf), true)
	}
	if want > len(r.buf) {
		r.resize(want)
	}
}

// resize moves the held bytes into a new buffer. The old one stays as it is
// for whoever still reads from it.
func (r *Ring) resize(size int) {
	buf := make([]byte, size)
	for off := r.start; off < r.end; {
		from := r.buf[int(off)&(len(r.buf)-1):]
		from = from[:min(int64(len(from)), r.end-off)]
		at := int(off) & (size - 1)
		off += int64(copy(buf[at:], from))
	}
	r.buf = buf
}

// Close marks the end of the output; it is called once. What is held stays
// readable until the budget needs the memory.
func (r *Ring) Close() {
	if drop := r.close(); drop {
		r.release()
	} else {
		r.budget.finished(r)
	}
}

func (r *Ring) close() (drop bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.trim()
	r.delivered.Broadcast()
	for _, s := range r.subs {
		s.notify()
	}
	return r.drop
}

// trim gives back the memory that a finished process will not need.
func (r *Ring) trim() {
	held, size := int(r.end-r.start), 0
	if held > 0 {
		for size = 64; size < held; size *= 2 {
		}
	}
	if size < len(r.buf) {
		r.budget.give(len(r.buf) - size)
		r.resize(size)
	}
	r.segs = append([]segment(nil), r.segs...)
}

// Drop forgets everything that is held, as soon as the ring is closed and
// nobody reads it. Nobody may subscribe any more.
func (r *Ring) Drop() {
	r.mu.Lock()
	r.drop = true
	closed := r.closed
	r.mu.Unlock()
	if closed {
		r.budget.forget(r)
		r.release()
	}
}

// release empties a closed ring and gives its memory back to the budget,
// unless somebody reads it.
func (r *Ring) release() {
	if n, ok := r.empty(); ok {
		r.budget.give(n)
	}
}

// empty returns the size of the memory that the ring held.
func (r *Ring) empty() (n int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.subs) > 0 {
		return 0, false
	}
	n = len(r.buf)
	r.buf, r.segs, r.start = nil, nil, r.end
	return n, true
}
