package output

import (
	"slices"
	"sync"
)

// Budget bounds the memory of all rings together. When it is used up, rings
// of finished processes are emptied, oldest first, and no live ring grows
// beyond Floor.
//
// Locks are taken in this order: a live ring's, the budget's, a finished
// ring's. So a finished ring never calls the budget with its lock held.
type Budget struct {
	limit int

	mu   sync.Mutex
	used int
	done []*Ring // finished, oldest first
}

// NewBudget returns a budget of so many bytes.
func NewBudget(limit int) *Budget { return &Budget{limit: limit} }

// Used is how many bytes the rings hold.
func (b *Budget) Used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// take asks for n more bytes. Forced, it takes them even from an empty budget.
func (b *Budget) take(n int, forced bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reclaim(n)
	if b.used+n > b.limit && !forced {
		return false
	}
	b.used += n
	return true
}

// reclaim empties finished rings until n more bytes fit.
func (b *Budget) reclaim(n int) {
	for i := 0; i < len(b.done) && b.used+n > b.limit; {
		freed, ok := b.done[i].empty()
		if !ok {
			i++ // somebody reads it
			continue
		}
		b.used -= freed
		b.done = slices.Delete(b.done, i, i+1)
	}
}

func (b *Budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}

func (b *Budget) finished(r *Ring) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, r)
}

func (b *Budget) forget(r *Ring) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.done, r); i >= 0 {
		b.done = slices.Delete(b.done, i, i+1)
	}
}
