package spawn

import (
	"runtime"
	"sync"
)

// pool runs functions on threads of its own, which were prepared once and are
// used for nothing else.
type pool struct {
	jobs    chan job
	closing chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
}

type job struct {
	run  func()
	done chan<- struct{}
}

// newPool starts n threads and returns when prepare has succeeded on each.
func newPool(n int, prepare func() error) (*pool, error) {
	p := &pool{jobs: make(chan job), closing: make(chan struct{})}
	ready := make(chan error, n)
	for range n {
		p.wg.Go(func() { p.thread(prepare, ready) })
	}
	var first error
	for range n {
		if err := <-ready; err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		p.close()
		return nil, first
	}
	return p, nil
}

// thread never unlocks its thread: when it returns, the runtime ends the
// thread and with it everything that prepare did.
func (p *pool) thread(prepare func() error, ready chan<- error) {
	runtime.LockOSThread()
	err := prepare()
	ready <- err
	if err != nil {
		return
	}
	for {
		select {
		case j := <-p.jobs:
			j.run()
			close(j.done)
		case <-p.closing:
			return
		}
	}
}

// do runs f on one of the threads.
func (p *pool) do(f func()) error {
	done := make(chan struct{})
	select {
	case p.jobs <- job{f, done}:
		<-done
		return nil
	case <-p.closing:
		return ErrClosed
	}
}

func (p *pool) close() {
	p.once.Do(func() { close(p.closing) })
	p.wg.Wait()
}
