package spawn

import (
	"fmt"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Process is a started process. Its number is safe to use: once the process
// has been reaped, and its number may belong to another one, signals are
// refused.
type Process struct {
	PID int

	exited func(Exit)

	mu       sync.Mutex
	reaped   bool
	recycled bool
}

// SignalGroup sends a signal to the process's group: the process and what it
// started, unless that left for a group of its own. The group may outlive the
// process. An empty group is unix.ESRCH.
func (p *Process) SignalGroup(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.recycled {
		return unix.ESRCH
	}
	return unix.Kill(-p.PID, sig)
}

// Recycled reports that another process got this one's number, so that its
// group, which kept the number from being used again, is empty.
func (p *Process) Recycled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recycled = p.reaped
}

// reap collects the status of the process, which the caller knows to be a
// zombie, and reports it.
func (p *Process) reap() {
	p.mu.Lock()
	var status unix.WaitStatus
	var err error
	for {
		_, err = unix.Wait4(p.PID, &status, 0, nil)
		if err != unix.EINTR {
			break
		}
	}
	p.reaped = true
	p.mu.Unlock()
	if err != nil {
		// Somebody else waited for it. Its end is certain, its status lost.
		status = 1 << 8
	}
	p.exited(Exit{p.PID, status})
}

// Exit is how a process ended.
type Exit struct {
	PID    int // 0: there was no process
	status unix.WaitStatus
}

// Code is the exit code, or -1 when a signal ended the process.
func (e Exit) Code() int { return e.status.ExitStatus() }

// Exited reports whether the process ended by itself.
func (e Exit) Exited() bool { return e.status.Exited() }

// Signal is what ended the process, or zero.
func (e Exit) Signal() unix.Signal {
	if !e.status.Signaled() {
		return 0
	}
	return e.status.Signal()
}

// Killed reports whether SIGKILL ended the process, which is all that the
// kernel has for one when memory runs out.
func (e Exit) Killed() bool { return e.status.Signaled() && e.status.Signal() == unix.SIGKILL }

// String says it in the words of os.ProcessState, which E2B's clients know.
func (e Exit) String() string {
	switch {
	case e.status.Exited():
		return fmt.Sprintf("exit status %d", e.status.ExitStatus())
	case e.status.Signaled():
		s := "signal: " + e.status.Signal().String()
		if e.status.CoreDump() {
			s += " (core dumped)"
		}
		return s
	}
	return "unknown"
}

// ExitWith returns the Exit of a process that ends with a code.
func ExitWith(code int) Exit { return Exit{status: unix.WaitStatus(code&0xff) << 8} }
