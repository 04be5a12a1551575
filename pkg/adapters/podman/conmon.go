package podman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// endTimeout bounds the wait for the end of a process that was killed, or that
// has nothing to do any more.
const endTimeout = time.Second

// monitor is the conmon process of a container, with the container's first
// process. The monitor is the last that goes: after the engine has removed the
// container, it still runs the engine's cleanup command, which finds nothing
// to do, some 20 ms long.
type monitor struct {
	conmon, first *os.File // pidfds
	pid           int      // conmon's
	bundle        string   // directory of the container's config.json
}

// monitorOf finds the conmon of a container by its first process, whose
// parent it is. It returns nil where there is none, or none that this process
// can see.
func monitorOf(container string, pid int) *monitor {
	first := openProcess(pid)
	if first == nil {
		return nil
	}
	// Each number is looked at only after it was opened: it could have become
	// another process's before.
	parent := parentOf(pid)
	m := &monitor{openProcess(parent), first, parent, ""}
	argv := commandOf(parent)
	if m.conmon == nil || !monitors(argv, container) {
		m.close()
		return nil
	}
	if i := slices.Index(argv, "-b"); i >= 0 && i+1 < len(argv) {
		m.bundle = argv[i+1]
	}
	return m
}

// Kill ends a container's processes and removes it.
func (e *engine) Kill(ctx context.Context, c *local.Container, wait bool) (settle func(context.Context, bool), err error) {
	m := monitorOf(c.ID, c.Pid)
	if !wait {
		m.stepBack()
	}
	if c.State != adapters.StatePaused {
		// The engine believes what is paused to be alive until it has killed it
		// itself, and fails when it cannot.
		m.kill(ctx)
	}
	if err = e.Remove(ctx, c); errors.Is(err, adapters.ErrExhausted) {
		full := e.removeFromFull(ctx, c.ID, m)
		e.log.Info("removed from a full disk", "container", c.ID, "full", err, "error", full)
		if full == nil {
			err = nil
		}
	}
	return func(ctx context.Context, wait bool) {
		if wait {
			m.wait(ctx)
		}
		m.close()
	}, err
}

func openProcess(pid int) *os.File {
	if pid <= 1 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "pidfd")
}

func commandOf(pid int) []string {
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil
	}
	return strings.Split(string(args), "\x00")
}

// monitors reports whether a command is the conmon of a container.
func monitors(argv []string, container string) bool {
	return len(argv) > 0 && filepath.Base(argv[0]) == "conmon" && slices.Contains(argv, container)
}

// stepBack lets the engine's removal go before the cleanup command, which would
// otherwise take half of a small machine for nothing.
func (m *monitor) stepBack() {
	if m != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, m.pid, lowestPriority)
	}
}

const lowestPriority = 19

// kill kills the container's first process, and with it all others, and returns
// when it is dead. The engine would do no other, but it starts its runtime for
// that, and is slower to remove what it has yet to see die.
func (m *monitor) kill(ctx context.Context) {
	if m != nil && m.signal(unix.SIGKILL) == nil {
		await(ctx, m.first)
	}
}

// signal sends a signal to the container's first process.
func (m *monitor) signal(s unix.Signal) error {
	return os.NewSyscallError("pidfd_send_signal", unix.PidfdSendSignal(int(m.first.Fd()), s, nil, 0))
}

// parentOf reads the fourth field of a process's stat; the second may contain
// anything, and ends with the last parenthesis.
func parentOf(pid int) int {
	if pid <= 0 {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// wait returns when the monitor has ended, or its time is up.
func (m *monitor) wait(ctx context.Context) {
	if m != nil {
		await(ctx, m.conmon)
	}
}

// await returns when a process has ended, or its time is up.
func await(ctx context.Context, pidfd *os.File) {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { pidfd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return
	}
	// A pidfd is never read; it becomes readable when the process ends. The
	// error says that the time is up, and is all the same then.
	_ = raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}

func (m *monitor) close() {
	if m != nil {
		m.first.Close()
		m.conmon.Close()
	}
}
