package buildkit

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/quixand/quixand/pkg/adapters"
)

// packed is a tar stream of files, in pairs of name and content.
func packed(t *testing.T, files ...string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for pair := range slices.Chunk(files, 2) {
		if err := w.WriteHeader(&tar.Header{Name: pair[0], Mode: 0o644, Size: int64(len(pair[1]))}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(pair[1]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func unpacked(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(content)
	}
}

func TestContextHasFilesAloneBesideTheRecipe(t *testing.T) {
	from, err := openContext(&adapters.BuildSpec{
		Recipe: ".own-recipe", Secrets: map[string]string{"token": ".own-secret"}, Hidden: []string{".own-*"},
		Context: packed(t, ".own-secret", "s3cr3t", ".own-recipe", "FROM x", "a", "1", "d/b", "2", ".own-other", "3", "d/c", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(from.recipe) != "FROM x" || string(from.secrets["token"]) != "s3cr3t" {
		t.Errorf("recipe %q, secrets %q", from.recipe, from.secrets)
	}
	var out bytes.Buffer
	if err := from.write(&out); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"recipe": "FROM x", "context/": "", "context/a": "1", "context/d/b": "2", "context/d/c": ""}
	if got := unpacked(t, &out); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestContextWithoutRecipeIsRefused(t *testing.T) {
	for name, stream := range map[string]io.Reader{
		"none": packed(t, "a", "1"), "late": packed(t, "a", "1", "recipe", "FROM x"), "no archive": bytes.NewReader([]byte("x")),
	} {
		if _, err := openContext(&adapters.BuildSpec{Recipe: "recipe", Context: stream}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A context that breaks off must not pass for a whole one.
func TestContextThatBreaksOff(t *testing.T) {
	whole := packed(t, "recipe", "FROM x", "a", string(make([]byte, 4<<10))).Bytes()
	from, err := openContext(&adapters.BuildSpec{Recipe: "recipe", Context: bytes.NewReader(whole[:3<<10])})
	if err != nil {
		t.Fatal(err)
	}
	if err := from.write(io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}
