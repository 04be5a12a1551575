package template

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// tree writes files: "name: content", "name/: " for a directory, "name -> to"
// for a link.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		if link, to, ok := strings.Cut(f, " -> "); ok {
			must(t, os.Symlink(to, filepath.Join(dir, link)))
			continue
		}
		name, content, _ := strings.Cut(f, ": ")
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Source {
	t.Helper()
	s, err := Open(dir, "")
	must(t, err)
	return s
}

func hashOf(t *testing.T, dir string, in Inputs) string {
	t.Helper()
	h, err := open(t, dir).Hash(&in)
	must(t, err)
	return h
}

func TestFindsTheRecipe(t *testing.T) {
	dir := tree(t, "Containerfile: FROM c", "Dockerfile: FROM d", "e2b.Dockerfile: FROM e", "other/x: FROM x")
	for _, want := range []string{"FROM e", "FROM d", "FROM c"} {
		s := open(t, dir)
		if string(s.Recipe.Text) != want {
			t.Errorf("%q, want %q", s.Recipe.Text, want)
		}
		must(t, os.Remove(s.File))
	}
	if _, err := Open(dir, ""); !errors.Is(err, adapters.ErrNotFound) {
		t.Errorf("nothing there: %v", err)
	}
	for _, file := range []string{"other/x", filepath.Join(dir, "other/x")} {
		if s, err := Open(dir, file); err != nil || string(s.Recipe.Text) != "FROM x" {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "nothing"), ""); !errors.Is(err, adapters.ErrNotFound) {
		t.Errorf("no directory: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, line := range map[string]string{
		"":                           "no instructions",
		"\x00\xff\x7fELF":            "line 1",
		"FROM a\nFROB b":             "line 2",
		"RUN a":                      "no FROM",
		"FROM a\n\nCOPY ../b /":      "line 3: ../b leads out of the context",
		"FROM a\nADD [\"x/../../b\"": "line 2",
		"FROM a\nCOPY b":             "line 2: COPY needs a source and a destination",
		"FROM a\nCOPY [b /":          "line 2",
	} {
		_, err := Parse([]byte(text))
		if !errors.Is(err, adapters.ErrInvalid) || !strings.Contains(err.Error(), line) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSources(t *testing.T) {
	for text, want := range map[string]string{
		"FROM a":                 "",
		"FROM a\nCOPY a b/ /dst": "a b",
		"FROM a\nCOPY --from=x a /dst\nADD http://h/x /":     "",
		"FROM a\ncopy --chown=1 [\"a b\", \"./c/*\", \"/\"]": "a b c/*",
		"FROM a\nCOPY . /":                            "*",
		"FROM a\nARG V\nCOPY $V /":                    "*",
		"FROM a\nRUN --mount=type=bind,target=/x ls":  "*",
		"FROM a\nRUN --mount=type=cache,target=/x ls": "",
		"FROM a\nCOPY <<EOF /x\nCOPY y /\nEOF":        "",
		"FROM a\nONBUILD COPY x /":                    "",
	} {
		r, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := strings.Join(r.Sources, " ")
		if r.All {
			got = "*"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// names lists what would be sent, without the recipe.
func names(t *testing.T, s *Source) []string {
	t.Helper()
	r, w := io.Pipe()
	go func() { w.CloseWithError(s.WriteTar(w, nil)) }()
	var got []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		must(t, err)
		if h.Name != RecipeName {
			got = append(got, h.Name)
		}
	}
}

func TestSendsWhatIsUsed(t *testing.T) {
	files := []string{"a: 1", "b/c: 2", "b/d/e: 3", "f.py: 4", "g.py: 5", "l -> g.py", "big: x"}
	for recipe, want := range map[string][]string{
		"COPY a /":          {"a"},
		"COPY b /":          {"b", "b/c", "b/d", "b/d/e"},
		"COPY b/d/e /":      {"b/d/e"},
		"COPY *.py l /":     {"f.py", "g.py", "l"},
		"COPY b/*/e a /":    {"a", "b/d/e"},
		"COPY nothing /":    nil,
		"COPY --from=x a /": nil,
	} {
		s := open(t, tree(t, append(files, "Dockerfile: FROM x\n"+recipe)...))
		if got := names(t, s); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", recipe, got, want)
		}
	}
}

func TestSendsWhatLinksLeadTo(t *testing.T) {
	files := []string{"a: 1", "d/x: 2", "d/[y]: 3", "d/up -> ../a", "l -> a", "ll -> l", "dir -> d", "abs -> /d/x", "odd -> d/[y]", "z: 4"}
	for recipe, want := range map[string][]string{
		"COPY l /":      {"a", "l"},
		"COPY ll /":     {"a", "l", "ll"},
		"COPY l* /":     {"a", "l", "ll"},
		"COPY dir /":    {"d", "d/[y]", "d/up", "d/x", "dir"},
		"COPY dir/x /":  {"d/x", "dir"},
		"COPY dir/u* /": {"a", "d/up", "dir"},
		"COPY abs /":    {"abs", "d/x"},
		"COPY odd /":    {"d/[y]", "odd"},
	} {
		s := open(t, tree(t, append(files, "Dockerfile: FROM x\n"+recipe)...))
		if got := names(t, s); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", recipe, got, want)
		}
	}
}

func TestRefusesLinksToNothing(t *testing.T) {
	for link, target := range map[string]string{"out": "/etc/passwd", "up": "../../etc/passwd", "self": "self"} {
		dir := tree(t, "Dockerfile: FROM x\n\nCOPY "+link+" /", link+" -> "+target)
		_, err := Open(dir, "")
		if !errors.Is(err, adapters.ErrInvalid) || !strings.Contains(err.Error(), "line 3: "+link+": "+link+" is ") {
			t.Errorf("%s: %v", link, err)
		}
	}
}

func TestIgnores(t *testing.T) {
	dir := tree(t, "Dockerfile: FROM x\nCOPY . /", "a: 1", "skip/b: 2", "skip/keep/c: 3", "d.log: 4",
		".dockerignore: skip\n!skip/keep\n*.log\n.dockerignore\nDockerfile\n")
	if got, want := names(t, open(t, dir)), []string{"a", "skip/keep", "skip/keep/c"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	must(t, os.WriteFile(filepath.Join(dir, ".containerignore"), []byte("*\n!a"), 0o644))
	if got, want := names(t, open(t, dir)), []string{"a"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHash(t *testing.T) {
	const recipe = "Dockerfile: FROM x\nCOPY src /"
	dir := tree(t, recipe, "src/a: 1", "src/b: 2", "src/l -> a", "unused: 1", "src/x.log: 1", ".dockerignore: **/*.log")
	in := Inputs{Args: map[string]string{"A": "1"}}
	before := hashOf(t, dir, in)
	path := func(name string) string { return filepath.Join(dir, name) }
	same := func(what string, err error) {
		t.Helper()
		must(t, err)
		if hashOf(t, dir, in) != before {
			t.Errorf("%s: another hash", what)
		}
	}
	same("nothing", nil)
	same("a time", os.Chtimes(path("src/a"), time.Now(), time.Unix(1, 0)))
	same("an unused file", os.WriteFile(path("unused"), []byte("2"), 0o644))
	same("an ignored file", os.WriteFile(path("src/x.log"), []byte("2"), 0o644))

	seen := map[string]string{before: "the beginning"}
	other := func(what string, in Inputs, err error) {
		t.Helper()
		must(t, err)
		h := hashOf(t, dir, in)
		if was, ok := seen[h]; ok {
			t.Errorf("%s: the hash of %s", what, was)
		}
		seen[h] = what
	}
	other("an argument", Inputs{Args: map[string]string{"A": "2"}}, nil)
	other("another argument", Inputs{Args: map[string]string{"B": "1"}}, nil)
	other("a target", Inputs{Args: in.Args, Target: "t"}, nil)
	other("a byte", in, os.WriteFile(path("src/a"), []byte("2"), 0o644))
	other("a mode", in, os.Chmod(path("src/a"), 0o755))
	other("a link", in, errors.Join(os.Remove(path("src/l")), os.Symlink("b", path("src/l"))))
	other("a name", in, os.Rename(path("src/b"), path("src/c")))
	other("a directory", in, os.Mkdir(path("src/d"), 0o755))
	other("the recipe", in, os.WriteFile(path("Dockerfile"), []byte("FROM y\nCOPY src /"), 0o644))
}

func TestContextIsNotLeft(t *testing.T) {
	outside := tree(t, "secret: s")
	dir := tree(t, "Dockerfile: FROM x\nCOPY . /", "out -> "+outside, "file -> "+outside+"/secret")
	s := open(t, dir)
	if got, want := names(t, s), []string{"Dockerfile", "file", "out"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q: links go as links", got, want)
	}
}

func TestWithoutDirectory(t *testing.T) {
	t.Chdir(tree(t, "here: no file of its"))
	s, err := With("", []byte("FROM x\nCOPY . /"))
	must(t, err)
	if got := names(t, s); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if _, err := With("", []byte("FROB x")); !errors.Is(err, adapters.ErrInvalid) {
		t.Error(err)
	}
}

func TestRefusesWhatNoImageHolds(t *testing.T) {
	dir := tree(t, "Dockerfile: FROM x\nCOPY . /", RecipeName+": x")
	if err := open(t, dir).WriteTar(io.Discard, nil); !errors.Is(err, adapters.ErrInvalid) {
		t.Errorf("our own name: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"FROM a\nCOPY b c", "FROM a\nRUN <<E\nx\nE", "# escape=`\nFROM a\nADD [\"x\",\"y\"]", "FROM a\nCOPY [^ /"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		for _, s := range r.Sources {
			if s == "" || strings.HasPrefix(s, "/") || s == ".." || strings.HasPrefix(s, "../") {
				t.Errorf("source %q of %q", s, text)
			}
		}
		r.uses("a/b")
		r.leadsTo("a")
	})
}
