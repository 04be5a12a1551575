package main

import (
	"slices"
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
	got := slices.Sorted(strings.Lines(out.String()))
	want := []string{"program 0: 0\n", "program 1: 1\n", "program 2: 4\n", "program 3: 9\n", "program 4: 16\n"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
