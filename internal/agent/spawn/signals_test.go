package spawn

import (
	"os/signal"
	"syscall"
	"testing"
)

func TestUnignoreSignals(t *testing.T) {
	signal.Ignore(syscall.SIGUSR2)
	defer signal.Reset(syscall.SIGUSR2)
	action := func() uintptr {
		var act sigaction
		if err := rtSigaction(uintptr(syscall.SIGUSR2), nil, &act); err != nil {
			t.Fatal(err)
		}
		return act.handler
	}
	if got := action(); got != sigIgnore {
		t.Fatalf("before: %d", got)
	}
	if err := unignoreSignals(); err != nil {
		t.Fatal(err)
	}
	if got := action(); got != sigDefault {
		t.Errorf("after: %d", got)
	}
}
