package spawn

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestWaitInfoCoversSiginfo(t *testing.T) {
	if got, want := unsafe.Sizeof(waitInfo{}), unsafe.Sizeof(unix.Siginfo{}); got < want {
		t.Errorf("waitInfo has %d bytes, siginfo_t %d", got, want)
	}
}

func newSpawner(t *testing.T) *Spawner {
	t.Helper()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// start runs a shell script with its output in a pipe.
func start(t *testing.T, s *Spawner, script string) (p *Process, out *os.File, exit <-chan Exit) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer null.Close()
	done := make(chan Exit, 1)
	p, err = s.Start(&Spec{
		Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: os.Environ(), Dir: "/",
		Files: [3]int{int(null.Fd()), int(w.Fd()), int(w.Fd())},
		UID:   uint32(os.Getuid()), GID: uint32(os.Getgid()),
	}, func(e Exit) { done <- e })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return p, r, done
}

func read(t *testing.T, f *os.File) string {
	t.Helper()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}

func TestExit(t *testing.T) {
	s := newSpawner(t)
	for script, want := range map[string]string{
		"exit 0":     "exit status 0",
		"exit 3":     "exit status 3",
		"kill -9 $$": "signal: killed",
		"kill -1 $$": "signal: hangup",
	} {
		_, _, exit := start(t, s, script)
		if got := <-exit; got.String() != want {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
}

func TestExecErrorIsReturned(t *testing.T) {
	s := newSpawner(t)
	_, err := s.Start(&Spec{Path: "/no/such/file", Args: []string{"x"}, Files: [3]int{0, 1, 2}, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())},
		func(Exit) { t.Error("exited called") })
	if err != syscall.ENOENT {
		t.Errorf("err = %v", err)
	}
}

func TestGroupIsSignalled(t *testing.T) {
	s := newSpawner(t)
	p, out, exit := start(t, s, "sleep 1000 & sleep 1000 & echo up; wait")
	buf := make([]byte, 10)
	if _, err := out.Read(buf); err != nil {
		t.Fatal(err)
	}
	if err := p.SignalGroup(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := (<-exit).String(); got != "signal: killed" {
		t.Error(got)
	}
	read(t, out) // ends only when the sleeps are gone too
}

func TestChildIsConfined(t *testing.T) {
	s := newSpawner(t)
	_, out, _ := start(t, s, "grep -E '^(NoNewPrivs|CapInh|CapAmb|CapBnd):' /proc/self/status; umask")
	status := read(t, out)
	for _, want := range []string{"NoNewPrivs:\t1", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	if want := "CapBnd:\t00000000000004fb"; os.Getuid() == 0 && !strings.Contains(status, want) {
		t.Errorf("no %q in\n%s", want, status)
	}
}

func TestOtherThreadsAreUntouched(t *testing.T) {
	before, _ := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	newSpawner(t)
	after, _ := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if before != after {
		t.Errorf("no_new_privs was %d, is %d", before, after)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := newSpawner(t)
	var wg sync.WaitGroup
	for range 100 {
		_, _, exit := start(t, s, "exit 7")
		wg.Go(func() {
			if e := <-exit; e.Code() != 7 {
				t.Error(e)
			}
		})
	}
	wg.Wait()
}

func TestStartAfterClose(t *testing.T) {
	s := newSpawner(t)
	s.Close()
	if _, err := s.Start(&Spec{Path: "/bin/true", UID: uint32(os.Getuid())}, nil); err != ErrClosed {
		t.Errorf("err = %v", err)
	}
}

func BenchmarkStart(b *testing.B) {
	s, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	spec := &Spec{Path: "/bin/true", Args: []string{"true"}, Files: [3]int{fd, fd, fd}, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	run := func() {
		done := make(chan Exit, 1)
		if _, err := s.Start(spec, func(e Exit) { done <- e }); err != nil {
			b.Error(err)
			return
		}
		<-done
	}
	b.Run("serial", func(b *testing.B) {
		for b.Loop() {
			run()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				run()
			}
		})
	})
}
