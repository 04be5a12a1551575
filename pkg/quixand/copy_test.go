package quixand_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

// hostTree makes a small tree and returns its directory.
func hostTree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "src")
	must(t, os.MkdirAll(filepath.Join(dir, "sub dir/empty"), 0o755))
	for name, mode := range map[string]fs.FileMode{"run.sh": 0o755, "sub dir/-rf": 0o600, "new\nline": 0o444, "zero": 0o644} {
		content := "content of " + name
		if name == "zero" {
			content = ""
		}
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		must(t, os.Chmod(filepath.Join(dir, name), mode))
		must(t, os.Chtimes(filepath.Join(dir, name), moment, moment))
	}
	must(t, os.Symlink("sub dir/-rf", filepath.Join(dir, "link")))
	must(t, os.Chtimes(filepath.Join(dir, "sub dir"), moment, moment))
	return dir
}

var moment = time.Date(2020, 1, 2, 3, 4, 5, 678901234, time.UTC)

// listing describes a tree, one line for each entry.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		switch {
		case d.Type() == fs.ModeSymlink:
			target, _ := os.Readlink(path)
			lines = append(lines, fmt.Sprintf("%q -> %q", name, target))
		case d.IsDir():
			lines = append(lines, fmt.Sprintf("%q %v", name, info.Mode()))
		default:
			data, _ := os.ReadFile(path)
			lines = append(lines, fmt.Sprintf("%q %v %v %q", name, info.Mode(), info.ModTime().UTC(), data))
		}
		return nil
	}))
	return lines
}

// copyCases are the destinations of cp -r: what is there before, and where the
// copy is to be found. They hold for both directions.
var copyCases = []struct {
	what, source, to string // relative to the two roots; source is src or file
	before           func(t *testing.T, root string)
	want             string // path of the copy
}{
	{"new name", "src", "copy", nil, "copy"},
	{"new name with slash", "src", "copy/", nil, "copy"},
	{"source with slash", "src/", "copy", nil, "copy"},
	{"into directory", "src", "dir", mkdir("dir"), "dir/src"},
	{"into directory with slash", "src", "dir/", mkdir("dir"), "dir/src"},
	{"source with slash into directory", "src/", "dir", mkdir("dir"), "dir/src"},
	{"content into directory", "src/.", "dir", mkdir("dir"), "dir"},
	{"content, new name", "src/.", "copy", nil, "copy"},
	{"into link to directory", "src", "dirlink", func(t *testing.T, root string) {
		mkdir("dir")(t, root)
		must(t, os.Symlink("dir", filepath.Join(root, "dirlink")))
	}, "dir/src"},
	{"over an older copy", "src", "dir", func(t *testing.T, root string) {
		must(t, os.MkdirAll(filepath.Join(root, "dir/src/sub dir"), 0o755))
		must(t, os.WriteFile(filepath.Join(root, "dir/src/run.sh"), []byte("older and longer than the new one"), 0o600))
	}, "dir/src"},
	{"file, new name", "file", "copy", nil, "copy"},
	{"file into directory", "file", "dir", mkdir("dir"), "dir/file"},
	{"file into directory with slash", "file", "dir/", mkdir("dir"), "dir/file"},
	{"file into new directory", "file", "new/", nil, "new/file"},
	{"file over file", "file", "copy", func(t *testing.T, root string) {
		must(t, os.WriteFile(filepath.Join(root, "copy"), []byte("older and longer than the new one"), 0o755))
	}, "copy"},
}

func mkdir(name string) func(*testing.T, string) {
	return func(t *testing.T, root string) { must(t, os.Mkdir(filepath.Join(root, name), 0o755)) }
}

// TestCopy copies in both directions. The fake's sandboxes are directories of
// this host, so what is inside can be looked at.
func TestCopy(t *testing.T) {
	for _, test := range copyCases {
		for _, direction := range []string{"put", "get"} {
			t.Run(direction+" "+test.what, func(t *testing.T) {
				sb, ctx := newSandbox(t), t.Context()
				inside, outside := sb.Workdir(), t.TempDir()
				from, to := outside, inside
				if direction == "get" {
					from, to = inside, outside
				}
				must(t, os.Rename(hostTree(t), filepath.Join(from, "src")))
				must(t, os.WriteFile(filepath.Join(from, "file"), []byte("a file"), 0o640))
				must(t, os.Chtimes(filepath.Join(from, "file"), moment, moment))
				if test.before != nil {
					test.before(t, to)
				}
				var told int64
				progress := func(n int64) { told = n }
				var err error
				if direction == "put" {
					err = sb.Files.Put(ctx, from+"/"+test.source, test.to, progress)
				} else {
					err = sb.Files.Get(ctx, test.source, to+"/"+test.to, progress)
				}
				must(t, err)
				got := listing(t, filepath.Join(to, test.want))
				want := listing(t, filepath.Join(from, strings.TrimSuffix(test.source, "/.")))
				if !slices.Equal(got, want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				if told < 6 {
					t.Errorf("progress: %d", told)
				}
			})
		}
	}
}

func TestCopyRefusals(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	src, dir := hostTree(t), t.TempDir()
	_, err := sb.Files.WriteString(ctx, "file", "x")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	must(t, sb.Files.MkdirAll(ctx, "tree"))
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	must(t, syscall.Mkfifo(filepath.Join(sb.Workdir(), "fifo"), 0o600))
	for name, test := range map[string]struct{ err, kind error }{
		"put missing":           {sb.Files.Put(ctx, filepath.Join(dir, "missing"), "x", nil), quixand.ErrNotFound},
		"put directory on file": {sb.Files.Put(ctx, src, "file", nil), quixand.ErrConflict},
		"put pipe":              {sb.Files.Put(ctx, filepath.Join(dir, "fifo"), "x", nil), quixand.ErrInvalid},
		"put nowhere":           {sb.Files.Put(ctx, src, "", nil), quixand.ErrInvalid},
		"get missing":           {sb.Files.Get(ctx, "missing", dir, nil), quixand.ErrNotFound},
		"get directory on file": {sb.Files.Get(ctx, "tree", filepath.Join(dir, "file"), nil), quixand.ErrConflict},
		"get pipe":              {sb.Files.Get(ctx, "fifo", dir, nil), quixand.ErrInvalid},
		"get without parent":    {sb.Files.Get(ctx, "file", filepath.Join(dir, "a/b"), nil), quixand.ErrNotFound},
		"get nowhere":           {sb.Files.Get(ctx, "file", "", nil), quixand.ErrInvalid},
	} {
		if !errors.Is(test.err, test.kind) || strings.Contains(test.err.Error(), "\n") {
			t.Errorf("%s: %v", name, test.err)
		}
	}
}

func TestPutFollowsItsArgument(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	src := hostTree(t)
	link := filepath.Join(t.TempDir(), "named")
	must(t, os.Symlink(src, link))
	must(t, sb.Files.Put(ctx, link, ".", nil))
	if got := listing(t, filepath.Join(sb.Workdir(), "named")); !slices.Equal(got, listing(t, src)) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	must(t, sb.Files.Get(ctx, "named/link", filepath.Join(filepath.Dir(link), "file"), nil))
	if data, err := os.ReadFile(filepath.Join(filepath.Dir(link), "file")); err != nil || string(data) != "content of sub dir/-rf" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestGetHostileTree plants links and devices, and neighbours for them.
func TestGetHostileTree(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	tree := filepath.Join(sb.Workdir(), "tree")
	must(t, os.MkdirAll(filepath.Join(tree, "a"), 0o755))
	for name, target := range map[string]string{
		"absolute": "/etc/passwd", "climbs": "../../../victim", "climbs-later": "a/../../victim", "parent": "..", "fine": "a", "a/fine": "../b",
	} {
		must(t, os.Symlink(target, filepath.Join(tree, name)))
	}
	must(t, os.WriteFile(filepath.Join(tree, "b"), []byte("b"), 0o644))
	must(t, os.Chmod(filepath.Join(tree, "b"), fs.ModeSetuid|0o755))
	must(t, syscall.Mkfifo(filepath.Join(tree, "fifo"), 0o644))
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "victim"), []byte("untouched"), 0o600))
	err := sb.Files.Get(ctx, "tree", filepath.Join(dir, "copy"), nil)
	if !errors.Is(err, quixand.ErrPermission) || !strings.Contains(err.Error(), "4 symbolic links") {
		t.Errorf("Get: %v", err)
	}
	var names []string
	for _, line := range listing(t, dir) {
		names = append(names, strings.Trim(strings.Fields(line)[0], `"`))
	}
	if want := []string{".", "copy", "copy/a", "copy/a/fine", "copy/b", "copy/fine", "victim"}; !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
	if info, err := os.Stat(filepath.Join(dir, "copy/b")); err != nil || info.Mode() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
