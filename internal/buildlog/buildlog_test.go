package buildlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func save(t *testing.T, s *Store, name string, r *Record) {
	t.Helper()
	if err := s.Save(name, r); err != nil {
		t.Fatal(err)
	}
}

func TestSaveAndRead(t *testing.T) {
	s := Open(t.TempDir())
	if got := s.Read("a"); got != nil {
		t.Fatalf("%v of nothing", got)
	}
	for i := range MaxRecords + 2 {
		save(t, s, "a", &Record{Hash: fmt.Sprint(i), Began: time.Unix(int64(i), 0), Error: "e", Log: []string{"l"}})
	}
	got := s.Read("a")
	if len(got) != MaxRecords || got[0].Hash != fmt.Sprint(MaxRecords+1) || got[0].Error != "e" || got[0].Log[0] != "l" {
		t.Errorf("%d records, %+v", len(got), got[0])
	}
	if got := s.Read("b"); got != nil {
		t.Errorf("%v of another", got)
	}
	for range 2 {
		if err := s.Forget("a"); err != nil || s.Read("a") != nil {
			t.Errorf("not forgotten: %v", err)
		}
	}
}

func TestBounds(t *testing.T) {
	s, r := Open(t.TempDir()), &Record{}
	for i := range MaxLines + 5 {
		r.Add(fmt.Sprint(i) + strings.Repeat("\x00", 2*MaxLine))
	}
	if len(r.Log) != MaxLines || !strings.HasPrefix(r.Log[0], "5") || len(r.Log[0]) > MaxLine+3 {
		t.Errorf("%d lines, the first of %d bytes", len(r.Log), len(r.Log[0]))
	}
	for range MaxRecords {
		save(t, s, "a", r)
	}
	if got := s.Read("a"); len(got) != MaxRecords {
		t.Errorf("of %d records that are as large as they may be, %d are read", MaxRecords, len(got))
	}
	for i := range MaxTemplates + 3 {
		save(t, s, fmt.Sprintf("t%d", i), &Record{})
	}
	if left, _ := os.ReadDir(s.dir); len(left) != MaxTemplates {
		t.Errorf("%d files", len(left))
	}
}

func TestGarbage(t *testing.T) {
	s := Open(t.TempDir())
	for _, text := range []string{"", "null", "{", `{"hash":1}`, "[null]", `["x"]`} {
		if err := os.WriteFile(filepath.Join(s.dir, "a.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := s.Read("a"); len(got) > 0 {
			t.Errorf("%q: %v", text, got)
		}
		save(t, s, "a", &Record{Hash: "h"})
		if got := s.Read("a"); len(got) != 1 || got[0].Hash != "h" {
			t.Errorf("after %q: %v", text, got)
		}
	}
}
