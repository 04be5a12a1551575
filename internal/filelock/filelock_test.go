package filelock

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "lock")
	var holders, entered atomic.Int32 // the race detector knows nothing of the kernel's locks
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				l, err := Acquire(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d holders", n)
				}
				entered.Add(1)
				holders.Add(-1)
				l.Release()
			}
		})
	}
	wg.Wait()
	if n := entered.Load(); n != 400 {
		t.Errorf("entered %d times", n)
	}
}

func TestGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Acquire(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Acquire(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is held: %v", err)
	}
}

// The lock of a process that was killed is free, and those who wait learn it.
func TestHolderIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if os.Getenv("FILELOCK_HOLD") != "" {
		if _, err := Acquire(t.Context(), os.Getenv("FILELOCK_HOLD")); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("held")
		select {}
	}
	holder := exec.Command(os.Args[0], "-test.run=^TestHolderIsKilled$")
	holder.Env = append(os.Environ(), "FILELOCK_HOLD="+path)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		l, err := Acquire(t.Context(), path)
		if err == nil {
			l.Release()
		}
		got <- err
	}()
	holder.Process.Kill()
	holder.Wait()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
