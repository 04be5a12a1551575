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
)

// A build whose client hangs up goes on until its command ends by itself, and
// when the engine's service exits before that, for want of clients, command and
// container are left for good. So a build that shall stop is not hung up on:
// its command is killed, which the engine takes for a failure, and cleans up.
//
// The engine does not tell which process that is. What tells is a directory of
// this build's own, mounted into each of its commands, below /dev where it gets
// into no image.
type brake struct{ dir string }

const (
	brakeTarget = "/dev/quixand-build"
	// brakeGrace is how long a build may take to end after it was told to:
	// what is no command, such as a pull, is not killed.
	brakeGrace = 5 * time.Second
	// brakeEvery is how often a command is looked for meanwhile: one may be
	// just about to start.
	brakeEvery = 20 * time.Millisecond
)

func newBrake() (*brake, error) {
	dir, err := os.MkdirTemp("", "quixand-build-")
	return &brake{dir}, err
}

func (b *brake) volume() string { return b.dir + ":" + brakeTarget + ":ro" }

func (b *brake) close() { os.Remove(b.dir) }

// watch returns a context for the build that outlives ctx for a moment, in
// which the build's commands are killed. release ends both.
func (b *brake) watch(ctx context.Context) (longer context.Context, release func()) {
	longer, cancel := outlive(ctx, brakeGrace)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
			b.pull(longer)
		case <-longer.Done():
		}
	}()
	return longer, func() {
		cancel()
		<-ended
	}
}

// pull kills commands until the build is over.
func (b *brake) pull(ctx context.Context) {
	tick := time.NewTicker(brakeEvery)
	defer tick.Stop()
	for {
		b.kill()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// kill kills the processes that see the directory as the build's commands do.
func (b *brake) kill() {
	tables, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	// The first path is relative to the root of its file system.
	mark := []byte("/" + filepath.Base(b.dir) + " " + brakeTarget + " ")
	for _, table := range tables {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(table)))
		if err != nil {
			continue
		}
		process := openProcess(pid)
		if process == nil {
			continue
		}
		// The table is read after the process was opened, so it is its own.
		if mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid)); err == nil && bytes.Contains(mounts, mark) {
			_ = unix.PidfdSendSignal(int(process.Fd()), unix.SIGKILL, nil, 0)
		}
		process.Close()
	}
}
