package stock

import (
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/template"
)

func TestRecipes(t *testing.T) {
	names := Names()
	if len(names) < 5 {
		t.Fatalf("only %q", names)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text := text(t, name)
			recipe, err := template.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if len(recipe.Sources) > 0 || recipe.All {
				t.Error("it needs files, and comes without any")
			}
			for _, want := range []string{"# " + name + ": ", "\nARG BASE=docker.io/library/debian:", "\nFROM $BASE", "\nUSER user\nWORKDIR /"} {
				if !strings.Contains("\n"+text, want) {
					t.Errorf("lacks %q", want)
				}
			}
		})
	}
}

// TestLayers sees to it that an engine keeps base once.
func TestLayers(t *testing.T) {
	_, base, _ := strings.Cut(text(t, "base"), "ARG BASE")
	base, _, _ = strings.Cut(base, "# E2B's clients")
	for _, name := range []string{"code-interpreter-v1", "go", "node", "python-data"} {
		if !strings.Contains(text(t, name), "ARG BASE"+base) {
			t.Errorf("%s does not begin as base does", name)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, name := range []Recipe{"", "nobody", "../stock", "base/Containerfile"} {
		if text, err := name.Containerfile(); err == nil {
			t.Errorf("%q: %s", name, text)
		}
	}
}

func text(t *testing.T, name string) string {
	t.Helper()
	text, err := Recipe(name).Containerfile()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
