package process

import (
	"maps"
	"slices"
	"sync"
	"time"

	pb "github.com/quixand/quixand/internal/envd/process"
)

const (
	// keepFinished is how many ended processes can be attached to again, and
	// keepFor is for how long.
	keepFinished = 256
	keepFor      = 10 * time.Minute
	// plainFor is how long E2B's agent answers for an ended process, and so
	// how long a caller finds one that does not ask for a replay.
	plainFor = 30 * time.Second
)

// table knows the processes: those that run, and the last ones that ended.
type table struct {
	mu      sync.Mutex
	running map[*proc]struct{}
	ended   []*proc // oldest first
	expiry  *time.Timer
	begin   func() func() // reports a running process as activity
}

func newTable(begin func() func()) *table {
	return &table{running: make(map[*proc]struct{}), begin: begin}
}

// add makes a process known. One of the same number that has ended has no
// group any more that could be signalled.
func (t *table) add(p *proc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for old := range t.running {
		if old.pid == p.pid && old.os != nil {
			old.os.Recycled()
		}
	}
	t.running[p] = struct{}{}
	p.idle = t.begin()
}

// finished moves a process to the ended ones.
func (t *table) finished(p *proc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, p)
	p.idle()
	t.ended = append(t.ended, p)
	for len(t.ended) > keepFinished {
		t.forgetOldest()
	}
	if t.expiry == nil {
		t.expiry = time.AfterFunc(keepFor, t.expire)
	}
}

func (t *table) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.ended) > 0 && time.Since(t.ended[0].at) >= keepFor {
		t.forgetOldest()
	}
	t.expiry = nil
	if len(t.ended) > 0 {
		t.expiry = time.AfterFunc(time.Until(t.ended[0].at.Add(keepFor)), t.expire)
	}
}

func (t *table) forgetOldest() {
	t.ended[0].out.Drop()
	t.ended[0] = nil
	t.ended = t.ended[1:]
}

// close forgets every process.
func (t *table) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.ended) > 0 {
		t.forgetOldest()
	}
	if t.expiry != nil {
		t.expiry.Stop()
	}
}

// live finds the running process that a selector names.
func (t *table) live(sel *pb.ProcessSelector) (*proc, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range t.running {
		if p.matches(sel) {
			return p, nil
		}
	}
	return nil, notFound(sel)
}

// find is live for callers who also want a process that ended within the
// given time.
func (t *table) find(sel *pb.ProcessSelector, within time.Duration) (*proc, error) {
	if p, err := t.live(sel); err == nil {
		return p, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range slices.Backward(t.ended) {
		if p.matches(sel) && time.Since(p.at) <= within {
			return p, nil
		}
	}
	return nil, notFound(sel)
}

// all lists the running processes by their numbers.
func (t *table) all() []*proc {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedFunc(maps.Keys(t.running), func(a, b *proc) int { return int(a.pid) - int(b.pid) })
}

func (t *table) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.running)
}

func (p *proc) matches(sel *pb.ProcessSelector) bool {
	switch s := sel.GetSelector().(type) {
	case *pb.ProcessSelector_Pid:
		return s.Pid != 0 && p.pid == s.Pid
	case *pb.ProcessSelector_Tag:
		return p.tag != nil && *p.tag == s.Tag
	}
	return false
}
