package server

import (
	"context"
	"sync"
)

// pending is what is being made, by its name, so that who wants it gone does not
// miss it: the connection of whoever began it may have broken without the
// server's notice.
type pending struct {
	mu    sync.Mutex
	begun map[string]*making
}

type making struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// begin waits until nobody else makes something of the name. The context ends
// also when the thing is no longer wanted; end is for afterwards.
func (p *pending) begin(ctx context.Context, name string) (_ context.Context, end func(), err error) {
	for {
		p.mu.Lock()
		there := p.begun[name]
		if there == nil {
			break
		}
		p.mu.Unlock()
		if err := there.wait(ctx); err != nil {
			return nil, nil, err
		}
	}
	defer p.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	m := &making{cancel, make(chan struct{})}
	if p.begun == nil {
		p.begun = make(map[string]*making)
	}
	p.begun[name] = m
	return ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.begun, name)
		cancel()
		close(m.done)
	}, nil
}

// abort ends the making of something, if it goes on, and returns when it is over.
func (p *pending) abort(ctx context.Context, name string) error {
	p.mu.Lock()
	m := p.begun[name]
	p.mu.Unlock()
	if m == nil {
		return nil
	}
	m.cancel()
	return m.wait(ctx)
}

func (m *making) wait(ctx context.Context) error {
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
