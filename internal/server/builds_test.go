package server

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quixand/quixand/pkg/quixand"
)

func TestStepsBecomeAContainerfile(t *testing.T) {
	req := &buildRequest{
		StartCmd: "serve", ReadyCmd: "curl localhost",
		Steps: []buildStep{
			{Type: "RUN", Args: []string{"echo \"a\nb\" $HOME"}},
			{Type: "ENV", Args: []string{"A", "1 2", "B", "$x"}},
			{Type: "WORKDIR", Args: []string{"/app"}},
			{Type: "COPY", Args: []string{"src/", "./dst", "user", "0755"}, FilesHash: "h"},
			{Type: "USER", Args: []string{"user"}},
		},
	}
	b, err := req.recipe("debian:13")
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.Containerfile()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"FROM debian:13\n", `RUN ["/bin/bash", "-l", "-c", "echo \"a\nb\" $HOME"]`, "WORKDIR /app\n",
		"COPY --chown=user --chmod=0755 [\"step-4/src\", \"./dst\"]\n", "USER user\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, step := range []buildStep{
		{Type: "COPY", Args: []string{"../x", "/"}},
		{Type: "COPY", Args: []string{"/etc/passwd", "/"}},
		{Type: "COPY", Args: []string{"a/../..", "/"}},
		{Type: "FROM", Args: []string{"x"}},
		{Type: ""},
	} {
		if _, err := (&buildRequest{Steps: []buildStep{step}}).recipe("x"); !errors.Is(err, quixand.ErrInvalid) {
			t.Errorf("%+v: %v", step, err)
		}
	}
	for _, step := range []buildStep{{Type: "USER", Args: []string{"a\nRUN b"}}, {Type: "WORKDIR"}, {Type: "COPY", Args: []string{"a", "b", "c d"}}} {
		b, err := (&buildRequest{Steps: []buildStep{step}}).recipe("x")
		if err == nil {
			_, err = b.Containerfile()
		}
		if err == nil {
			t.Errorf("%+v can be rendered", step)
		}
	}
}

func TestImagesThatMayBeAnothersAreNoBase(t *testing.T) {
	for image, ok := range map[string]bool{
		"debian:13": true, "ghcr.io/a/b@sha256:0": true, "localhost/mine": true,
		"localhost/quixand/theirs:latest": false, "quixand/theirs": false, "LOCALHOST/quixand/theirs": false, "a b": false, "--x": false,
	} {
		if err := checkBase(image); (err == nil) != ok {
			t.Errorf("%s: %v", image, err)
		}
	}
}

func archive(t *testing.T, packed bool, names ...string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if !packed {
		w = tar.NewWriter(&b)
	}
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o640, Size: 1, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("x"))
	}
	w.Close()
	if packed {
		z.Close()
	}
	return b.Bytes()
}

func TestUploads(t *testing.T) {
	u := newUploads(t)
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /uploads/{key}/{hash}", u.receive)
	put := func(link string, body []byte) int {
		at, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("PUT", at.RequestURI(), bytes.NewReader(body)))
		return w.Code
	}
	asked := httptest.NewRequest("GET", "http://127.0.0.1:3000/", nil)
	room := int64(1 << 20)
	for hash, packed := range map[string]bool{"packed": true, "plain": false} {
		if u.present("k", hash) {
			t.Error("present before it was sent")
		}
		link := u.link(asked, "k", hash)
		if code := put(link, archive(t, packed, "src/a", "b")); code != http.StatusNoContent {
			t.Fatalf("%s: %d", link, code)
		}
		if !u.present("k", hash) || u.present("other", hash) {
			t.Error("an upload is its key's")
		}
		dir := filepath.Join(t.TempDir(), "files")
		if err := u.unpack(t.Context(), "k", hash, dir, &room); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"src/a", "b"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
	}
	link := u.link(asked, "k", "packed")
	for _, forged := range []string{strings.Replace(link, "/k/", "/other/", 1), strings.Replace(link, "/packed", "/plain", 1), link[:strings.Index(link, "?")]} {
		if code := put(forged, nil); code != http.StatusForbidden {
			t.Errorf("%s: %d", forged, code)
		}
	}
	if err := u.unpack(t.Context(), "other", "packed", filepath.Join(t.TempDir(), "x"), new(int64)); !errors.Is(err, quixand.ErrNotFound) {
		t.Errorf("another's: %v", err)
	}
	put(u.link(asked, "k", "evil"), archive(t, true, "../evil"))
	if err := u.unpack(t.Context(), "k", "evil", filepath.Join(t.TempDir(), "x"), &room); !errors.Is(err, quixand.ErrInvalid) {
		t.Errorf("a hostile archive: %v", err)
	}
}
