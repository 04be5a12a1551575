package quixand_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

func TestFiles(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	for name, content := range map[string]string{
		"plain": "text", "with space": "a b", "new\nline": "x", "ünïcode/deep/er": "é", "-rf": "dash", "empty": "",
		"binary": "\x00\xff\xfe\n\r", "~tilde": "not home", "./dot": "dot", "a//b": "slashes",
	} {
		e, err := sb.Files.WriteString(ctx, name, content)
		must(t, err)
		if e.Path != filepath.Join(sb.Workdir(), name) || e.Name != filepath.Base(name) || e.Size != int64(len(content)) || e.Mode != 0o644 || time.Since(e.Modified) > time.Minute {
			t.Errorf("%q: %+v", name, e)
		}
		stat, err := sb.Files.Stat(ctx, name)
		must(t, err)
		if *stat != *e {
			t.Errorf("%q: written %+v, is %+v", name, e, stat)
		}
		got, err := sb.Files.ReadString(ctx, name)
		if err != nil || got != content {
			t.Errorf("%q: %q, %v", name, got, err)
		}
		if data, err := os.ReadFile(filepath.Join(sb.Workdir(), name)); err != nil || string(data) != content {
			t.Errorf("%q: on disk %q, %v", name, data, err)
		}
	}
}

func TestWriteFrom(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	large := bytes.Repeat([]byte("0123456789"), 1<<18)
	for name, r := range map[string]io.Reader{
		"sized": bytes.NewReader(large), "buffer": bytes.NewBuffer(slices.Clone(large)),
		"stream": io.MultiReader(bytes.NewReader(large)), "slow": iotest.HalfReader(bytes.NewReader(large)),
	} {
		e, err := sb.Files.WriteFrom(ctx, name, r, &quixand.WriteOptions{Mode: 0o600})
		must(t, err)
		if e.Size != int64(len(large)) || e.Mode != 0o600 {
			t.Errorf("%s: %+v", name, e)
		}
		if got, err := sb.Files.Read(ctx, name); err != nil || !bytes.Equal(got, large) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if e, err := sb.Files.WriteString(ctx, "sized", "short"); err != nil || e.Mode != 0o600 || e.Size != 5 {
		t.Errorf("a mode was not kept: %+v, %v", e, err)
	}
	broken := errors.New("the reader broke")
	_, err := sb.Files.WriteFrom(ctx, "part", io.MultiReader(strings.NewReader("before"), iotest.ErrReader(broken)), nil)
	if !errors.Is(err, broken) {
		t.Errorf("WriteFrom: %v", err)
	}
	if _, err := sb.Files.WriteFrom(ctx, "x", strings.NewReader("x"), &quixand.WriteOptions{Mode: fs.ModeSetuid | 0o755}); !errors.Is(err, quixand.ErrInvalid) {
		t.Errorf("setuid: %v", err)
	}
	if _, err := sb.Files.WriteFrom(ctx, "x", strings.NewReader("x"), &quixand.WriteOptions{User: "no-such-user"}); err == nil {
		t.Error("written as a user that is not there")
	}
}

func TestWriteCancelled(t *testing.T) {
	sb := newSandbox(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() {
		w.Write(make([]byte, 100_000))
		cancel()
	}()
	if _, err := sb.Files.WriteFrom(ctx, "x", r, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("WriteFrom: %v", err)
	}
	w.Close()
}

func TestOpenRange(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	const content = "0123456789"
	_, err := sb.Files.WriteString(ctx, "f", content)
	must(t, err)
	for _, test := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, content},
		{3, -1, "3456789"},
		{3, 4, "3456"},
		{0, 1, "0"},
		{9, 5, "9"},
		{0, 0, ""},
		{5, 0, ""},
		{10, -1, ""},
		{10, 5, ""},
		{math.MaxInt64, -1, ""},
		{1 << 40, 1 << 40, ""},
	} {
		r, err := sb.Files.OpenRange(ctx, "f", test.offset, test.length)
		must(t, err)
		got, err := io.ReadAll(r)
		if err != nil || string(got) != test.want {
			t.Errorf("%d, %d: %q, %v", test.offset, test.length, got, err)
		}
		must(t, r.Close())
	}
	_, err = sb.Files.WriteString(ctx, "empty", "")
	must(t, err)
	for _, offset := range []int64{0, 1} {
		r, err := sb.Files.OpenRange(ctx, "empty", offset, 5)
		must(t, err)
		if got, err := io.ReadAll(r); err != nil || len(got) > 0 {
			t.Errorf("%q, %v", got, err)
		}
		r.Close()
	}
	if _, err := sb.Files.OpenRange(ctx, "f", -1, 1); !errors.Is(err, quixand.ErrInvalid) {
		t.Errorf("negative offset: %v", err)
	}
	if _, err := sb.Files.OpenRange(ctx, "f", 1, math.MaxInt64); !errors.Is(err, quixand.ErrInvalid) {
		t.Errorf("overflow: %v", err)
	}
	if _, err := sb.Files.OpenRange(ctx, "missing", 1, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestReadBound(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	must(t, os.WriteFile(filepath.Join(sb.Workdir(), "sparse"), nil, 0o644))
	must(t, os.Truncate(filepath.Join(sb.Workdir(), "sparse"), quixand.MaxRead+1))
	if _, err := sb.Files.Read(ctx, "sparse"); !errors.Is(err, quixand.ErrExhausted) {
		t.Errorf("Read: %v", err)
	}
}

func TestDirectories(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	f := sb.Files
	must(t, f.MkdirAll(ctx, "a/b/c"))
	must(t, f.MkdirAll(ctx, "a/b/c"))
	must(t, f.Mkdir(ctx, "a/d"))
	_, err := f.WriteString(ctx, "a/file", "x")
	must(t, err)
	must(t, os.Symlink("b", filepath.Join(sb.Workdir(), "a/link")))
	for _, test := range []struct {
		name string
		err  error
		kind error
		std  error
	}{
		{"mkdir existing", f.Mkdir(ctx, "a/d"), quixand.ErrExists, fs.ErrExist},
		{"mkdir on file", f.Mkdir(ctx, "a/file"), quixand.ErrExists, fs.ErrExist},
		{"mkdir without parent", f.Mkdir(ctx, "x/y"), quixand.ErrNotFound, fs.ErrNotExist},
		{"mkdirall on file", f.MkdirAll(ctx, "a/file"), quixand.ErrInvalid, nil},
		{"remove missing", f.Remove(ctx, "missing"), quixand.ErrNotFound, fs.ErrNotExist},
		{"remove full", f.Remove(ctx, "a"), quixand.ErrConflict, nil},
		{"rename missing", f.Rename(ctx, "missing", "x"), quixand.ErrNotFound, fs.ErrNotExist},
		{"stat missing", second(f.Stat(ctx, "missing")), quixand.ErrNotFound, fs.ErrNotExist},
		{"list missing", second(f.List(ctx, "missing", 1)), quixand.ErrNotFound, fs.ErrNotExist},
		{"list file", second(f.List(ctx, "a/file", 1)), quixand.ErrInvalid, nil},
		{"read directory", second(f.Read(ctx, "a")), quixand.ErrInvalid, nil},
		{"write directory", second(f.WriteString(ctx, "a", "x")), quixand.ErrInvalid, nil},
		{"empty path", second(f.Stat(ctx, "")), quixand.ErrInvalid, nil},
		{"NUL", f.MkdirAll(ctx, "a\x00b"), quixand.ErrInvalid, nil},
		{"not UTF-8", f.MkdirAll(ctx, "\xff"), quixand.ErrInvalid, nil},
		{"long", f.MkdirAll(ctx, strings.Repeat("x", 5000)), quixand.ErrInvalid, nil},
		{"long element", f.MkdirAll(ctx, strings.Repeat("x", 300)), quixand.ErrInvalid, nil},
		{"negative depth", second(f.List(ctx, "a", -1)), quixand.ErrInvalid, nil},
	} {
		if !errors.Is(test.err, test.kind) || (test.std != nil && !errors.Is(test.err, test.std)) {
			t.Errorf("%s: %v", test.name, test.err)
		}
		if test.err != nil && strings.ContainsAny(test.err.Error(), "\n\x00") {
			t.Errorf("%s: not one line: %q", test.name, test.err)
		}
	}
	for depth, want := range map[int][]string{
		0: {"b", "d", "file", "link"},
		1: {"b", "d", "file", "link"},
		2: {"b", "b/c", "d", "file", "link"},
		9: {"b", "b/c", "d", "file", "link"},
	} {
		list, err := f.List(ctx, "a", depth)
		must(t, err)
		var got []string
		for _, e := range list {
			got = append(got, strings.TrimPrefix(e.Path, sb.Workdir()+"/a/"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("depth %d: %v", depth, got)
		}
	}
	link, err := f.Stat(ctx, "a/link")
	must(t, err)
	if link.Mode.Type() != fs.ModeSymlink || link.Target != filepath.Join(sb.Workdir(), "a/b") || link.IsDir() {
		t.Errorf("%+v", link)
	}
	must(t, f.Rename(ctx, "a/file", "moved/here"))
	must(t, f.Remove(ctx, "moved/here"))
	must(t, f.Remove(ctx, "a/link"))
	must(t, f.Remove(ctx, "a/d"))
	must(t, f.RemoveAll(ctx, "a"))
	must(t, f.RemoveAll(ctx, "a"))
	if there, err := f.Exists(ctx, "a/b"); err != nil || there {
		t.Errorf("%v, %v", there, err)
	}
	if there, err := f.Exists(ctx, "moved"); err != nil || !there {
		t.Errorf("%v, %v", there, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestGlob(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	for _, name := range []string{"a.txt", "b.txt", "c.md", "sub/a.txt", "sub/deep/x.txt", "[odd].txt"} {
		_, err := sb.Files.WriteString(ctx, name, "")
		must(t, err)
	}
	wd := sb.Workdir()
	for pattern, want := range map[string][]string{
		"*.txt":           {"[odd].txt", "a.txt", "b.txt"},
		"*/*.txt":         {"sub/a.txt"},
		"[ab].txt":        {"a.txt", "b.txt"},
		`\[odd\].txt`:     {"[odd].txt"},
		"a.txt":           {"a.txt"},
		"none*":           nil,
		"missing/*":       nil,
		"a.txt/*":         nil,
		"":                nil,
		"../workspace/c*": {"../workspace/c.md"},
		wd + "/s*/a.*":    {wd + "/sub/a.txt"},
	} {
		got, err := sb.Files.Glob(ctx, pattern)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", pattern, got, err, want)
		}
	}
	if got, err := sb.Files.Glob(ctx, "/et*"); err != nil || !slices.Contains(got, "/etc") {
		t.Errorf("/et*: %v, %v", got, err)
	}
	if _, err := sb.Files.Glob(ctx, "["); !errors.Is(err, quixand.ErrInvalid) {
		t.Errorf("bad pattern: %v", err)
	}
}

func TestWatch(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	must(t, sb.Files.MkdirAll(ctx, "dir"))
	started := func() {
		for name, content := range map[string]string{"dir/one": "1"} {
			if _, err := sb.Files.WriteString(ctx, name, content); err != nil {
				t.Error(err)
			}
		}
		if err := sb.Files.Rename(ctx, "dir/one", "dir/two"); err != nil {
			t.Error(err)
		}
		if err := sb.Files.Remove(ctx, "dir/two"); err != nil {
			t.Error(err)
		}
	}
	seen := make(map[quixand.FileEvent]bool)
	for e, err := range sb.Files.Watch(ctx, "dir", &quixand.WatchOptions{Started: started}) {
		must(t, err)
		seen[e] = true
		if e == (quixand.FileEvent{Name: "two", Op: quixand.FileRemoved}) {
			break
		}
	}
	for _, e := range []quixand.FileEvent{{"one", quixand.FileCreated}, {"one", quixand.FileWritten}, {"one", quixand.FileRenamed}, {"two", quixand.FileCreated}} {
		if !seen[e] {
			t.Errorf("%+v was not reported: %v", e, seen)
		}
	}
	short, cancel := context.WithCancel(ctx)
	for _, err := range sb.Files.Watch(short, "dir", &quixand.WatchOptions{Started: cancel}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Watch: %v", err)
		}
	}
	for _, err := range sb.Files.Watch(ctx, "missing", nil) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Watch: %v", err)
		}
	}
}

func TestFS(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	for name, content := range map[string]string{
		"tree/a.txt": "a", "tree/empty": "", "tree/sub/b.txt": strings.Repeat("b", 300), "tree/sub/deep/c": "c", "tree/with space": "s",
	} {
		_, err := sb.Files.WriteString(ctx, name, content)
		must(t, err)
	}
	for _, dir := range []string{"tree", "tree/", sb.Workdir() + "/tree"} {
		must(t, fstest.TestFS(sb.FS(ctx, dir), "a.txt", "empty", "sub/b.txt", "sub/deep/c", "with space"))
	}
	must(t, os.Symlink("sub", filepath.Join(sb.Workdir(), "tree/link")))
	fsys := sb.FS(ctx, "tree")
	if data, err := fs.ReadFile(fsys, "link/deep/c"); err != nil || string(data) != "c" {
		t.Errorf("%q, %v", data, err)
	}
	if info, err := fs.Stat(fsys, "link"); err != nil || !info.IsDir() || info.Name() != "link" {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := fs.Lstat(fsys, "link"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := fsys.Open("missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open: %v", err)
	}
	if _, err := fs.Sub(fsys, "../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Sub: %v", err)
	}
	if got, err := fs.Glob(fsys, "*/*.txt"); err != nil || !slices.Equal(got, []string{"link/b.txt", "sub/b.txt"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestFSFile(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	content := []byte("0123456789")
	_, err := sb.Files.Write(ctx, "f", content)
	must(t, err)
	file, err := sb.FS(ctx, ".").Open("f")
	must(t, err)
	r := file.(interface {
		io.ReadSeekCloser
		io.ReaderAt
	})
	must(t, iotest.TestReader(r, content))
	if n, err := r.ReadAt(make([]byte, 5), 8); n != 2 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := r.ReadAt(make([]byte, 2), 8); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := r.Seek(-1, io.SeekStart); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Seek: %v", err)
	}
	must(t, r.Close())
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if err := r.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
}
