package timeouts

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Process looks at sandboxes from within this program, for as long as it
// lives.
type Process struct {
	look   Look
	ctx    context.Context // of the looks; Close ends it
	cancel context.CancelFunc
	looks  sync.WaitGroup

	mu     sync.Mutex
	alarms map[string]*alarm
}

type alarm struct {
	due   time.Time
	timer *time.Timer
}

var _ Enforcer = (*Process)(nil)

// NewProcess returns an enforcer that calls look, for several sandboxes at
// once. It costs a timer for each sandbox, and no goroutine until then.
func NewProcess(look Look) *Process {
	p := &Process{look: look, alarms: make(map[string]*alarm)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Name implements [Enforcer].
func (p *Process) Name() string { return ProcessName }

// Arm implements [Enforcer].
func (p *Process) Arm(_ context.Context, id string, after time.Duration, note Note) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	due := time.Now().Add(after)
	if old := p.alarms[id]; old != nil {
		if old.due.Before(due) {
			return nil
		}
		old.timer.Stop()
	}
	a := &alarm{due: due}
	a.timer = time.AfterFunc(after, func() { p.ring(id, a, note) })
	p.alarms[id] = a
	return nil
}

func (p *Process) ring(id string, a *alarm, note Note) {
	p.mu.Lock()
	if p.alarms[id] != a { // replaced, or forgotten, at this very moment
		p.mu.Unlock()
		return
	}
	delete(p.alarms, id)
	p.looks.Add(1)
	p.mu.Unlock()
	defer p.looks.Done()
	p.look(p.ctx, id, note)
}

// Disarm implements [Enforcer].
func (p *Process) Disarm(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.alarms[id]; a != nil {
		a.timer.Stop()
		delete(p.alarms, id)
	}
	return nil
}

// Armed implements [Enforcer].
func (p *Process) Armed(context.Context) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.alarms)), nil
}

// Close implements [Enforcer].
func (p *Process) Close() {
	p.mu.Lock()
	p.cancel()
	for _, a := range p.alarms {
		a.timer.Stop()
	}
	clear(p.alarms)
	p.mu.Unlock()
	p.looks.Wait()
}
