package spawn

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigaction is the kernel's struct of that name, as amd64 and arm64 have it.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

const (
	sigDefault = 0
	sigIgnore  = 1
	lastSignal = 64
)

// unignoreSignals gives the signals that are ignored their default action.
// Ignoring is inherited: an engine that was started under nohup would give
// it to every command of every sandbox. Signals that the Go runtime handles
// are not ignored, and stay as they are.
func unignoreSignals() error {
	for sig := uintptr(1); sig <= lastSignal; sig++ {
		var act sigaction
		if err := rtSigaction(sig, nil, &act); err != nil {
			return err
		}
		if act.handler != sigIgnore {
			continue
		}
		if err := rtSigaction(sig, &sigaction{handler: sigDefault}, nil); err != nil {
			return err
		}
	}
	return nil
}

func rtSigaction(sig uintptr, act, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig,
		uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(old)), unsafe.Sizeof(act.mask), 0, 0)
	if errno != 0 {
		return fmt.Errorf("action of signal %d: %w", sig, errno)
	}
	return nil
}
