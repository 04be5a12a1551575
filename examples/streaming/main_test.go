package main

import (
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/fake"
)

// TestRun runs the program on an engine without containers.
func TestRun(t *testing.T) {
	fake.Link(t)
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "got one\ngot two\ngot three\nbye\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
