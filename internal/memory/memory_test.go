package memory

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKills(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.events")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n")
	k := Watch(file+".none", file)
	if n := k.New(); n != 0 {
		t.Errorf("%d kills of before are counted", n)
	}
	write("low 0\nhigh 0\nmax 19\noom 3\noom_kill 3\noom_group_kill 0\n")
	if n := k.New(); n != 2 {
		t.Errorf("%d kills, want 2", n)
	}
	if n := k.New(); n != 0 {
		t.Errorf("%d kills are counted again", n)
	}
	if n, ok := Count(file); n != 3 || !ok {
		t.Errorf("%d kills in all (%v), want 3", n, ok)
	}
	write("no such line")
	if n := k.New(); n != 0 {
		t.Errorf("%d kills of nothing", n)
	}
}

func TestWithoutController(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if n := Watch(none).New(); n != 0 {
		t.Error(n)
	}
	if n, ok := Count(none); ok {
		t.Error(n)
	}
}
