package main

import (
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/pkg/adapters"
)

// TestRun runs the program on an engine without containers.
func TestRun(t *testing.T) {
	engine := fake.NewEngine()
	defer engine.Close()
	adapters.Default.Register(fake.Name, engine.Open)
	t.Setenv("QS_ADAPTER", fake.Name)
	t.Setenv("QS_ROOT", t.TempDir())

	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "got one\ngot two\ngot three\nbye\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
