package podman

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startConmon runs a shell that calls itself by a name, like the conmon of a
// container, and has a child.
func startConmon(t *testing.T, name, container string) (shell *exec.Cmd, child int) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(sh, link); err != nil {
		t.Fatal(err)
	}
	shell = exec.Command(link, "-c", "sleep 1000 & echo $!; read line; kill $!", "-c", container)
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		shell.Wait()
	})
	line := make([]byte, 32)
	n, _ := out.Read(line)
	child, err = strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatal(err)
	}
	return shell, child
}

func TestMonitorWait(t *testing.T) {
	shell, child := startConmon(t, "conmon", "c0ffee")
	m := monitorOf("c0ffee", child)
	if m == nil {
		t.Fatal("conmon not found")
	}
	defer m.close()
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	m.wait(t.Context())
	if elapsed := time.Since(began); elapsed >= endTimeout {
		t.Errorf("its end was not seen for %v", elapsed)
	}
	if p, err := os.FindProcess(child); err == nil {
		p.Kill()
	}
}

// The engine's word about a process is not enough to kill it.
func TestMonitorKillsTheContainerAlone(t *testing.T) {
	_, child := startConmon(t, "conmon", "c0ffee")
	m := monitorOf("c0ffee", child)
	if m == nil {
		t.Fatal("conmon not found")
	}
	defer m.close()
	m.kill(t.Context())
	ended := []unix.PollFd{{Fd: int32(m.first.Fd()), Events: unix.POLLIN}}
	if n, err := unix.Poll(ended, 10_000); n != 1 {
		t.Errorf("the first process lives: %v", err)
	}
}

func TestMonitorOfStrangers(t *testing.T) {
	_, shell := startConmon(t, "other", "c0ffee")
	_, other := startConmon(t, "conmon", "decaf")
	for _, pid := range []int{-1, 0, 1, shell, other} {
		if m := monitorOf("c0ffee", pid); m != nil {
			t.Errorf("process %d has a monitor", pid)
			m.close()
		}
	}
}
