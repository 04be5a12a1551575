package agent_test

import (
	"os"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent"
	pb "github.com/quixand/quixand/internal/envd/process"
)

// withDescriptors runs f with so many free descriptors, and not one more.
func withDescriptors(t *testing.T, free int, f func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	limited := unix.Rlimit{Cur: lowestFree(t, free), Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limited); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

// lowestFree returns the number of the free descriptor that has n others below
// it. There may be gaps: the process inherits descriptors of any number.
func lowestFree(t *testing.T, n int) uint64 {
	t.Helper()
	for {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if n == 0 {
			return uint64(fd)
		}
		n--
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestFewDescriptors lets a start fail at each descriptor that it needs.
func TestFewDescriptors(t *testing.T) {
	b := newBox(t, agent.Config{})
	terminal := command("/bin/true")
	terminal.Pty = &pb.PTY{Size: &pb.PTY_Size{Cols: 80, Rows: 24}}
	input := command("/bin/cat", "/dev/null")
	input.Stdin = nil
	for _, req := range []*pb.StartRequest{command("/bin/true"), input, terminal} {
		b.run(t, req) // opens the connection that the others use
		before := descriptors(t)
		failed := 0
		for free := range 12 {
			var r *result
			withDescriptors(t, free, func() { r = b.run(t, req) })
			switch {
			case r.err == nil && r.end.GetExitCode() == 0:
			case connect.CodeOf(r.err) == connect.CodeResourceExhausted:
				failed++
			default:
				t.Errorf("with %d descriptors: %v %v %q", free, r.err, r.end, &r.stderr)
			}
		}
		if failed == 0 || failed == 12 {
			t.Errorf("%d of 12 starts failed", failed)
		}
		// The end is told before the last of a process's descriptors is closed.
		for deadline := time.Now().Add(10 * time.Second); descriptors(t) > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d descriptors were left behind", descriptors(t)-before)
			}
		}
	}
}
