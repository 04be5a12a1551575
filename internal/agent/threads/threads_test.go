package threads

import (
	"os"
	"testing"
)

func TestReserve(t *testing.T) {
	const n = 50
	Reserve(n)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) < n {
		t.Errorf("%d threads, want at least %d", len(tasks), n)
	}
}
