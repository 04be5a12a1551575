package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestKilledAgent: a sandbox's first process dies, and the sandbox with it.
func TestKilledAgent(t *testing.T) {
	s := newSite(t)
	id := s.create()
	s.signal(s.pid(id), syscall.SIGKILL)
	s.within(grace, func() error { return s.gone(id) })
	s.within(grace, func() error {
		s.list() // while the engine is about to remove it, too
		return s.empty()
	})
}

// TestKilledMonitor: conmon dies, and the sandbox lives on without anybody to
// clean up behind it. It can be used and killed all the same.
func TestKilledMonitor(t *testing.T) {
	s := newSite(t)
	id := s.create()
	s.signal(parent(s.pid(id)), syscall.SIGKILL)
	if out := s.must("exec", id, "--", "echo", "alive"); out != "alive" {
		t.Errorf("it says %q", out)
	}
	if ids := s.list(); len(ids) != 1 || ids[0] != id {
		t.Errorf("list: %q", ids)
	}
	s.must("kill", id)
	s.within(grace, s.empty)
}

// TestKilledMonitorOfTheDead: nobody is there to see that a sandbox ends by
// itself. The next call does.
func TestKilledMonitorOfTheDead(t *testing.T) {
	s := newSite(t)
	id := s.create("--timeout=1s")
	s.signal(parent(s.pid(id)), syscall.SIGKILL)
	s.within(grace, func() error {
		s.list()
		return s.gone(id)
	})
	s.within(grace, s.empty)
}

// TestKilledMonitorOfTheLostSocket: not even then is a sandbox lost, when its
// socket is deleted too: it can be killed.
func TestKilledMonitorOfTheLostSocket(t *testing.T) {
	s := newSite(t)
	id := s.create()
	s.signal(parent(s.pid(id)), syscall.SIGKILL)
	if err := os.RemoveAll(s.dirs().Path()); err != nil {
		t.Fatal(err)
	}
	if out, err := s.run("exec", id, "--", "echo", "alive"); err == nil && out != "alive" {
		t.Errorf("it says %q", out)
	}
	s.must("kill", id)
	s.within(grace, s.empty)
}

// TestKilledService: the engine's service dies while sandboxes are made and
// ended, again and again.
func TestKilledService(t *testing.T) {
	s := newSite(t)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if id, err := s.run("create", "--quiet", "--timeout=5m"); err == nil {
					_, _ = s.run("kill", id)
				}
			}
		})
	}
	for i := range 10 {
		time.Sleep(time.Duration(100+i*37) * time.Millisecond)
		s.service.kill()
		s.service.ensure()
	}
	close(stop)
	all.Wait()
	s.within(grace, func() error {
		for _, id := range s.list() {
			if out, err := s.run("exec", id, "--", "echo", "alive"); err != nil || out != "alive" {
				return fmt.Errorf("%s: %q, %w", id, out, err)
			}
		}
		return nil
	})
	for _, id := range s.list() {
		s.must("kill", "--force", id)
	}
	s.within(grace, s.empty)
}

// TestServiceRestartedBetweenCalls: nothing but the engine's service needs to
// come back.
func TestServiceRestartedBetweenCalls(t *testing.T) {
	s := newSite(t)
	id := s.create()
	s.service.kill()
	// What goes to the agent alone does not even need it.
	if out := s.must("exec", id, "--", "echo", "alive"); out != "alive" {
		t.Errorf("it says %q", out)
	}
	if out, err := s.run("ls"); err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("ls without an engine: %q, %v", out, err)
	}
	s.service.ensure()
	if ids := s.list(); len(ids) != 1 || ids[0] != id {
		t.Errorf("list: %q", ids)
	}
	s.must("kill", id)
	s.within(grace, s.empty)
}

// pid is the first process of a sandbox.
func (s *site) pid(id string) int {
	s.Helper()
	out := s.ask("ps", "--filter", "label=quixand.id="+id, "--format", "{{.Pid}}")
	if len(out) != 1 {
		s.Fatalf("process of %s: %q", id, out)
	}
	pid, err := strconv.Atoi(out[0])
	if err != nil {
		s.Fatal(err)
	}
	return pid
}

func parent(pid int) int { return number(filepath.Join("/proc", strconv.Itoa(pid), "status"), "PPid") }

func (s *site) signal(pid int, sig syscall.Signal) {
	s.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		s.Fatalf("kill %d: %v", pid, err)
	}
}

// gone is a check that a sandbox is not to be found.
func (s *site) gone(id string) error {
	s.Helper()
	out, err := s.run("status", id)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		return fmt.Errorf("status: %q, %w", out, err)
	}
	return nil
}
