package cli

import (
	"context"
	"errors"
	"syscall"
	"testing"
)

// heard is a command that tells what it is sent.
type heard chan syscall.Signal

func (h heard) Signal(_ context.Context, sig syscall.Signal) error {
	h <- sig
	return nil
}

func (h heard) Kill(context.Context) error {
	h <- syscall.SIGKILL
	return nil
}

func newInterrupts(t *testing.T) *interrupts {
	ctx, cancel := context.WithCancelCause(t.Context())
	return &interrupts{ctx: ctx, cancel: cancel}
}

func wantInterrupted(t *testing.T, i *interrupts, want syscall.Signal) {
	t.Helper()
	got, _ := errors.AsType[interrupted](context.Cause(i.ctx))
	if got.signal != want {
		t.Errorf("interrupted by %v, want %v", got.signal, want)
	}
}

func TestSignalsArePassedThenKillThenGiveUp(t *testing.T) {
	i, command := newInterrupts(t), make(heard, 3)
	i.expect()
	i.passTo(command)
	for _, want := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		i.handle(syscall.SIGTERM)
		if got := <-command; got != want {
			t.Errorf("passed %v, want %v", got, want)
		}
	}
	wantInterrupted(t, i, 0)
	i.handle(syscall.SIGINT)
	wantInterrupted(t, i, syscall.SIGINT)
}

func TestSignalWaitsForTheCommandThatStarts(t *testing.T) {
	i, command := newInterrupts(t), make(heard, 3)
	i.expect()
	i.handle(syscall.SIGINT)
	wantInterrupted(t, i, 0)
	i.passTo(command)
	if got := <-command; got != syscall.SIGINT {
		t.Errorf("passed %v", got)
	}
	i.release()
	wantInterrupted(t, i, 0)
	i.handle(syscall.SIGHUP)
	wantInterrupted(t, i, syscall.SIGHUP)
}

func TestSignalForACommandThatNeverStarts(t *testing.T) {
	i := newInterrupts(t)
	i.expect()
	i.handle(syscall.SIGINT)
	i.release()
	wantInterrupted(t, i, syscall.SIGINT)

	i = newInterrupts(t)
	i.expect()
	i.handle(syscall.SIGINT)
	i.handle(syscall.SIGINT)
	wantInterrupted(t, i, syscall.SIGINT)
}
