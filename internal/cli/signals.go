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

	mu       sync.Mutex
	starting bool // a command is about to run: a signal waits for it
	target   signaller
	passed   int
	held     syscall.Signal
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

// expect says that a command is being started. It may run, and say so, before
// its start is known here; a signal that comes in between is meant for it.
func (i *interrupts) expect() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.starting, i.passed, i.held = true, 0, 0
}

// passTo sends the signals to the command that was expected.
func (i *interrupts) passTo(target signaller) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.starting, i.target = false, target
	if sig := i.held; sig != 0 {
		i.held = 0
		i.pass(func(ctx context.Context) error { return target.Signal(ctx, sig) })
	}
}

// release ends what expect began. A signal for a command that never came was
// for qs.
func (i *interrupts) release() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.starting, i.target = false, nil
	if i.held != 0 {
		i.cancel(interrupted{i.held})
	}
}

func (i *interrupts) handle(sig syscall.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.passed++
	target := i.target
	switch {
	case i.starting && i.passed == 1:
		i.held = sig
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
