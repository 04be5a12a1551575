package podman

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// conmonTimeout bounds the wait for a monitor's end. The container is gone
// before; what is left is a process that has nothing to do any more.
const conmonTimeout = time.Second

// monitor is the conmon process of a container. It is the last that goes:
// after the engine has removed the container, it still runs the engine's
// cleanup command, which finds nothing to do, some 20 ms long.
type monitor struct {
	pidfd *os.File
}

// monitorOf finds the conmon of a container by its first process, whose
// parent it is. It returns nil where there is none, or none that this process
// can see.
func monitorOf(pid int) *monitor {
	parent := parentOf(pid)
	if parent <= 1 {
		return nil
	}
	fd, err := unix.PidfdOpen(parent, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil
	}
	m := &monitor{os.NewFile(uintptr(fd), "pidfd")}
	// Only now: the number could have become another process's before.
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parent))
	if err != nil || strings.TrimSpace(string(comm)) != "conmon" {
		m.close()
		return nil
	}
	return m
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
	if m == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, conmonTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { m.pidfd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := m.pidfd.SyscallConn()
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
		m.pidfd.Close()
	}
}
