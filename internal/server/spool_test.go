package server

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func newUploads(t *testing.T) *uploads {
	return &uploads{spool: &spool{dir: filepath.Join(t.TempDir(), "uploads"), most: 1 << 20}, secret: []byte("s"), silence: time.Minute}
}

// spooled is a spool for 100 bytes of each key.
type spooled struct {
	*testing.T
	*spool
}

func newSpool(t *testing.T) spooled {
	return spooled{t, &spool{dir: filepath.Join(t.TempDir(), "uploads"), most: 100}}
}

func (s spooled) put(key, name string, length int, told int64) error {
	return s.store(s.Context(), key, filepath.Join(s.dir, key+"-"+name), strings.NewReader(strings.Repeat("x", length)), told)
}

func (s spooled) names() (names []string) {
	for _, f := range s.files("") {
		names = append(names, f.name)
	}
	return names
}

func (s spooled) age(name string, age time.Duration) {
	s.Helper()
	at := time.Now().Add(-age)
	if err := os.Chtimes(filepath.Join(s.dir, name), at, at); err != nil {
		s.Fatal(err)
	}
}

func TestAKeysUploadsAreBoundedInSum(t *testing.T) {
	for told, length := range map[int64]int{-1: 60, 60: 60, 10: 60} { // not told, the truth, a lie
		s := newSpool(t)
		if err := s.put("a", "1", 60, told); err != nil {
			t.Fatal(err)
		}
		if err := s.put("a", "2", length, told); err != errFull {
			t.Errorf("more than there is room for: %v", err)
		}
		if err := s.put("b", "1", length, told); err != nil {
			t.Errorf("another key has room of its own: %v", err)
		}
		if err := s.put("a", "3", 40, 40); err != nil {
			t.Errorf("what there is room for: %v", err)
		}
		if got := s.names(); !slices.Equal(got, []string{"a-1", "a-3", "b-1"}) {
			t.Errorf("kept are %q", got)
		}
	}
}

func TestTheOldestMakeRoom(t *testing.T) {
	s := newSpool(t)
	for _, name := range []string{"1", "2", "3"} {
		if err := s.put("a", name, 30, 30); err != nil {
			t.Fatal(err)
		}
	}
	s.age("a-1", keepAnyway+time.Minute)
	s.age("a-2", keepAnyway+time.Hour)
	if err := s.put("a", "4", 40, 40); err != nil {
		t.Error(err)
	}
	if got := s.names(); !slices.Equal(got, []string{"a-1", "a-3", "a-4"}) {
		t.Errorf("kept are %q", got)
	}
	s.age("a-3", keepAge+time.Hour)
	if err := s.put("b", "1", 1, 1); err != nil {
		t.Error(err)
	}
	if got := s.names(); !slices.Equal(got, []string{"a-1", "a-4", "b-1"}) {
		t.Errorf("kept are %q", got)
	}
}

// TestWhatAKilledServerHasLeft goes, and what another server is at stays.
func TestWhatAKilledServerHasLeft(t *testing.T) {
	s := newSpool(t)
	in, out := io.Pipe()
	stored := make(chan error)
	go func() { stored <- s.store(s.Context(), "a", filepath.Join(s.dir, "a-1"), in, -1) }()
	if _, err := out.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	dir, remove, err := s.tempDir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"a-0.part", "build-0.part/step-1"} {
		if err := os.MkdirAll(filepath.Join(s.dir, left), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if got := s.names(); len(got) != 2 || slices.Contains(got, "a-0.part") || !slices.Contains(got, filepath.Base(dir)) {
		t.Errorf("kept are %q", got)
	}
	out.Close()
	if err := <-stored; err != nil {
		t.Error(err)
	}
	remove()
	if got := s.names(); !slices.Equal(got, []string{"a-1"}) {
		t.Errorf("kept are %q", got)
	}
}
