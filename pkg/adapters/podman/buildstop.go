package podman

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/local"
)

// A build whose client hangs up goes on until its command ends by itself, and
// when the engine's service exits before that, for want of clients, command and
// container are left for good. So a build that shall stop is not hung up on:
// its command is killed, which the engine takes for a failure, and cleans up.

const (
	// stopGrace is how long a build may take to end after it was told to:
	// what is no command, such as a pull, is not killed.
	stopGrace = 5 * time.Second
	// stopEvery is how often a command is looked for meanwhile: one may be
	// just about to start.
	stopEvery = 20 * time.Millisecond
)

// watch returns a context for the build that outlives ctx for a moment, in
// which the build's commands are killed. release ends both.
func (m *mark) watch(ctx context.Context) (longer context.Context, release func()) {
	longer, cancel := local.Outlive(ctx, stopGrace)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
			m.killAll(longer)
		case <-longer.Done():
		}
	}()
	return longer, func() {
		cancel()
		<-ended
	}
}

// killAll kills commands until the build is over.
func (m *mark) killAll(ctx context.Context) {
	tick := time.NewTicker(stopEvery)
	defer tick.Stop()
	for {
		m.kill()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// kill kills the processes that see the mark as the build's commands do, and
// returns how many there were.
func (m *mark) kill() (killed int) {
	tables, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	for _, table := range tables {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(table)))
		if err == nil && m.killIfMarked(pid) {
			killed++
		}
	}
	return killed
}

func (m *mark) killIfMarked(pid int) bool {
	process := openProcess(pid)
	if process == nil {
		return false
	}
	defer process.Close()
	// The table is read after the process was opened, so it is its own.
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil || !bytes.Contains(mounts, []byte(" "+m.target()+" ")) {
		return false
	}
	return unix.PidfdSendSignal(int(process.Fd()), unix.SIGKILL, nil, 0) == nil
}
