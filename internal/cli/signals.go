package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// interrupts decides what the signals that ask qs to end do. They end its
// context, so that everything is cleaned up on the way out; but while a command
// runs in a sandbox the first is passed on to it, the second kills it, and only
// the third gives up on a sandbox that does not answer.
type interrupts struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	target signaller
	passed int
}

// signaller is a running command.
type signaller interface {
	Signal(ctx context.Context, sig syscall.Signal) error
	Kill(ctx context.Context) error
}

// signalBudget bounds the passing on of a signal.
const signalBudget = 5 * time.Second

// catchSignals returns a context that the signals end. SIGPIPE is caught for
// another reason: by default it ends a Go program at once when its standard
// output breaks, and run must still kill its sandbox.
func (a *App) catchSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	i := &interrupts{ctx: ctx, cancel: cancel}
	a.interrupts = i

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	var done sync.WaitGroup
	done.Go(func() {
		for sig := range signals {
			if sig != syscall.SIGPIPE {
				i.handle(sig.(syscall.Signal))
			}
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
		done.Wait()
	}
}

// passTo sends the signals to a command from now on; the result undoes it.
func (i *interrupts) passTo(target signaller) func() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.target, i.passed = target, 0
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.target = nil
	}
}

func (i *interrupts) handle(sig syscall.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.passed++
	target := i.target
	switch {
	case target == nil || i.passed > 2:
		i.cancel(interrupted{sig})
	case i.passed == 1:
		i.pass(func(ctx context.Context) error { return target.Signal(ctx, sig) })
	default:
		i.pass(target.Kill)
	}
}

// pass does not wait: a sandbox that does not answer must not keep the next
// signal from being heard. An error means that the command is gone, or that its
// Wait is about to fail as well.
func (i *interrupts) pass(send func(context.Context) error) {
	ctx, cancel := context.WithTimeout(i.ctx, signalBudget)
	go func() {
		defer cancel()
		_ = send(ctx)
	}()
}
