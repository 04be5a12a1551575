package tombstone

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

func ended(id string) *adapters.Ended {
	return &adapters.Ended{ID: id, Adapter: "podman", Time: time.Now(), Reason: adapters.ReasonKilled, By: "test"}
}

func TestBuryAndFind(t *testing.T) {
	s := Open(t.TempDir())
	if _, err := s.Find("abc"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	want := ended("abc")
	want.ExitCode, want.Metadata = new(137), map[string]string{"a": "b"}
	if err := s.Bury(want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Find("abc")
	if err != nil || got.By != "test" || *got.ExitCode != 137 || got.Metadata["a"] != "b" || !got.Time.Equal(want.Time) {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := s.Forget("abc"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find("abc"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestWhoKnowsBetter(t *testing.T) {
	s := Open(t.TempDir())
	found := ended("abc")
	found.Reason = adapters.ReasonExited
	for _, step := range []struct {
		bury func(*adapters.Ended) error
		e    *adapters.Ended
		want adapters.Reason
	}{
		{s.BuryOnce, found, adapters.ReasonExited},
		{s.Bury, ended("abc"), adapters.ReasonKilled},
		{s.BuryOnce, found, adapters.ReasonKilled},
	} {
		if err := step.bury(step.e); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Find("abc"); err != nil || got.Reason != step.want {
			t.Errorf("%+v, %v, want %s", got, err, step.want)
		}
	}
	if names, _ := s.names(); len(names) != 1 {
		t.Errorf("files are left: %q", names)
	}
}

func TestBirthGoesWithTheEnd(t *testing.T) {
	s := Open(t.TempDir())
	if err := s.Born(&Birth{ID: "abc", Boot: "this one", Lifetime: time.Hour}); err != nil {
		t.Fatal(err)
	}
	b, err := s.Birth("abc")
	if err != nil || b.Boot == "" || b.Lifetime != time.Hour {
		t.Fatalf("%+v, %v", b, err)
	}
	if ids, err := s.Births(); err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	if err := s.BuryOnce(ended("abc")); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.Births(); err != nil || len(ids) != 0 {
		t.Fatal(ids, err)
	}
}

// A sandbox's metadata, image and output are its user's and its own, as large
// as they like.
func TestRecordsAreSmall(t *testing.T) {
	s := Open(t.TempDir())
	huge := strings.Repeat("\x00", MaxBytes)
	e := ended("abc")
	e.Metadata, e.Output, e.Detail, e.Image = map[string]string{"k": huge}, huge, huge, huge
	if err := s.Bury(e); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Find("abc"); err != nil || got.Reason != e.Reason || got.Output != "" {
		t.Errorf("%v", err)
	}
	e = ended("def")
	e.Metadata, e.Output = map[string]string{"k": huge}, "last words"
	if err := s.Bury(e); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Find("def"); err != nil || got.Metadata != nil || got.Output != "last words" {
		t.Errorf("%v", err)
	}
	if err := s.Born(&Birth{ID: "ghi", Metadata: map[string]string{"k": huge}}); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Birth("ghi"); err != nil || b.Metadata != nil {
		t.Errorf("%v", err)
	}
}

// Whatever is in the place of a record, there is none, at once.
func TestCorruption(t *testing.T) {
	text, err := json.Marshal(ended("other"))
	if err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(path string) error{
		"empty":       func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"half":        func(p string) error { return os.WriteFile(p, text[:len(text)/2], 0o600) },
		"huge":        func(p string) error { return os.WriteFile(p, make([]byte, 2*MaxBytes), 0o600) },
		"another id":  func(p string) error { return os.WriteFile(p, text, 0o600) },
		"a directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"a FIFO":      func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"a link":      func(p string) error { return os.Symlink("/dev/zero", p) },
	} {
		t.Run(name, func(t *testing.T) {
			s := Open(t.TempDir())
			if err := s.Bury(ended("fine")); err != nil {
				t.Fatal(err)
			}
			if err := plant(filepath.Join(s.dir, "abc"+endedSuffix)); err != nil {
				t.Fatal(err)
			}
			if e, err := s.Find("abc"); err == nil {
				t.Errorf("%+v", e)
			}
			if all, err := s.All(); err != nil || len(all) != 1 || all[0].ID != "fine" {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}

func TestAllIsSorted(t *testing.T) {
	s := Open(t.TempDir())
	if all, err := s.All(); err != nil || all != nil {
		t.Fatal(all, err)
	}
	for i, id := range []string{"b", "c", "a"} {
		e := ended(id)
		e.Time = e.Time.Add(time.Duration(i) * time.Second)
		if err := s.Bury(e); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.All()
	if err != nil || len(all) != 3 || all[0].ID != "a" || all[2].ID != "b" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestPrune(t *testing.T) {
	s := Open(t.TempDir())
	for i := range MaxFiles + 50 {
		id := fmt.Sprintf("s%d", i)
		if err := s.Bury(ended(id)); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-MaxFiles-50) * time.Second)
		if err := os.Chtimes(filepath.Join(s.dir, id+endedSuffix), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Born(&Birth{ID: "alive"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(); err != nil {
		t.Fatal(err)
	}
	all, err := s.All()
	if err != nil || len(all) < MaxFiles*9/10 || len(all) > MaxFiles {
		t.Fatalf("%d are left, %v", len(all), err)
	}
	if _, err := s.Find(fmt.Sprintf("s%d", MaxFiles+49)); err != nil {
		t.Error("the newest is gone")
	}
	// A day later all are too old, for whoever reads and for who prunes.
	s.now = func() time.Time { return time.Now().Add(MaxAge + time.Minute) }
	if all, err := s.All(); err != nil || len(all) != 0 {
		t.Errorf("%d records are found though too old, %v", len(all), err)
	}
	if err := s.Prune(); err != nil {
		t.Fatal(err)
	}
	names, err := s.names()
	if err != nil || len(names) != 2 { // the birth and the mark
		t.Errorf("%q, %v", names, err)
	}
}

// Nobody has to call Prune for a bound to hold, if not to the file.
func TestBuryPrunes(t *testing.T) {
	s := Open(t.TempDir())
	for i := range 3 * MaxFiles {
		if err := s.Bury(ended(fmt.Sprintf("s%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	names, err := s.names()
	if err != nil || len(names) > 2*MaxFiles {
		t.Errorf("%d files, %v", len(names), err)
	}
}

// The directory may be deleted at any moment.
func TestDeletedUnderneath(t *testing.T) {
	s := Open(t.TempDir())
	stop := make(chan struct{})
	var deleter sync.WaitGroup
	deleter.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = os.RemoveAll(s.dir)
			}
		}
	})
	for i := range 200 {
		if err := s.Bury(ended(fmt.Sprintf("s%d", i))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if _, err := s.All(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if err := s.Prune(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
	close(stop)
	deleter.Wait()
	if err := s.Bury(ended("last")); err != nil {
		t.Error(err)
	}
}

// TestProcesses has many processes write and prune one store, while this one
// reads: what it reads is whole.
func TestProcesses(t *testing.T) {
	if root := os.Getenv("TOMBSTONE_TEST_ROOT"); root != "" {
		writeALot(t, Open(root))
		return
	}
	s := Open(t.TempDir())
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestProcesses$")
			cmd.Env = append(os.Environ(), "TOMBSTONE_TEST_ROOT="+s.root)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		for i := range 20 {
			if e, err := s.Find(fmt.Sprintf("s%d", i)); err == nil && (e.By != "test" || len(e.Output) != 1000) {
				t.Fatalf("%+v", e)
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			} else if err != nil && strings.Contains(err.Error(), "JSON") {
				t.Fatal("half a record:", err)
			}
		}
	}
	all, err := s.All()
	names, _ := s.names()
	if err != nil || len(all) != 20 || len(names) != 21 {
		t.Errorf("%d records, %q, %v", len(all), names, err)
	}
}

func writeALot(t *testing.T, s *Store) {
	for i := range 400 {
		e := ended(fmt.Sprintf("s%d", i%20))
		e.Output = strings.Repeat("x", 1000)
		bury := s.Bury
		if i%2 == 0 {
			bury = s.BuryOnce
		}
		if err := errors.Join(bury(e), s.Prune()); err != nil {
			t.Fatal(err)
		}
	}
}

// A kill waits for this.
func BenchmarkBury(b *testing.B) {
	s := Open(b.TempDir())
	for i := range b.N {
		if err := s.Bury(ended(fmt.Sprintf("s%d", i%MaxFiles))); err != nil {
			b.Fatal(err)
		}
	}
}
