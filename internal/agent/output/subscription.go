package output

import "slices"

// Subscription is one reader of a ring. Its methods but Close are for one
// goroutine at a time.
type Subscription struct {
	ring *Ring
	pos  int64 // guarded by ring.mu
	wake chan struct{}
}

// Subscribe attaches a reader at the given offset, or at the nearest offset
// that is still held. A negative offset means: from now on.
func (r *Ring) Subscribe(offset int64) *Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	if offset < 0 {
		offset = r.end
	}
	s := &Subscription{ring: r, pos: min(max(offset, r.start), r.end), wake: make(chan struct{}, 1)}
	r.subs = append(r.subs, s)
	return s
}

// Offset is the offset of the next byte that the reader gets.
func (s *Subscription) Offset() int64 {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	return s.pos
}

// Peek returns the next bytes of one stream, at most limit, without copying
// them: they stay as they are until Advance or Close. No bytes means that
// there are none now; eof that there will be none any more.
func (s *Subscription) Peek(limit int) (stream Stream, p []byte, eof bool) {
	r := s.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.pos == r.end {
		return 0, nil, r.closed
	}
	i, _ := slices.BinarySearchFunc(r.segs, s.pos, func(g segment, pos int64) int {
		if g.end <= pos {
			return -1
		}
		return 1
	})
	p = r.buf[int(s.pos)&(len(r.buf)-1):]
	p = p[:min(int64(limit), int64(len(p)), r.segs[i].end-s.pos)]
	return r.segs[i].stream, p, false
}

// Advance says that n bytes were delivered.
func (s *Subscription) Advance(n int) {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	s.pos += int64(n)
	s.ring.delivered.Broadcast()
}

// Wait returns a channel that receives when Peek may have more to tell.
func (s *Subscription) Wait() <-chan struct{} { return s.wake }

func (s *Subscription) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close detaches the reader.
func (s *Subscription) Close() {
	if last := s.detach(); last {
		s.ring.release()
	}
}

// detach reports whether the ring was only kept for this reader.
func (s *Subscription) detach() (last bool) {
	r := s.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.subs, s)
	if i < 0 {
		return false
	}
	r.subs = slices.Delete(r.subs, i, i+1)
	r.delivered.Broadcast()
	return r.drop && len(r.subs) == 0
}
