package crash

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// service is an engine's service that a test may kill.
type service struct {
	t      *testing.T
	socket string
	// limits are put before the command, such as prlimit with its arguments, and
	// env is added to its environment.
	limits, env []string

	mu  sync.Mutex
	cmd *exec.Cmd
}

func newService(t *testing.T, dir string, env ...string) *service {
	t.Helper()
	s := &service{t: t, socket: filepath.Join(dir, "podman.sock"), env: env}
	t.Cleanup(s.kill)
	s.ensure()
	return s
}

// ensure starts the service unless it runs, and returns when it can be used.
func (s *service) ensure() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return
	}
	_ = os.Remove(s.socket)
	args := append(append([]string{}, s.limits...), "podman", "system", "service", "--time=0", "unix://"+s.socket)
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("unix", s.socket)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the engine's service does not listen: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// kill kills the service, in whatever it is at.
func (s *service) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *service) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}
