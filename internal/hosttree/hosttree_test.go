package hosttree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, content string, mode fs.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o600))
	must(t, os.Chmod(path, mode))
}

// describe lists what is in a tree, one line for each entry.
func describe(t testing.TB, dir string) []string {
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
		content := ""
		switch {
		case d.Type() == fs.ModeSymlink:
			content, _ = os.Readlink(path)
			lines = append(lines, fmt.Sprintf("%q -> %q", name, content))
			return nil
		case info.Mode().IsRegular():
			data, _ := os.ReadFile(path)
			content = string(data)
		}
		lines = append(lines, fmt.Sprintf("%q %v %v %q", name, info.Mode(), info.ModTime().UTC(), content))
		return nil
	}))
	return lines
}

func TestThereAndBack(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	moment := time.Date(2020, 1, 2, 3, 4, 5, 678901234, time.UTC)
	write(t, filepath.Join(src, "empty"), "", 0o644)
	write(t, filepath.Join(src, "a b/-rf"), "rf", 0o755)
	write(t, filepath.Join(src, "a b/new\nline"), "nl", 0o600)
	write(t, filepath.Join(src, "ünï/"+strings.Repeat("long", 60)), "long", 0o444)
	write(t, filepath.Join(src, "bad\xff\xfe"), "bytes", 0o644)
	write(t, filepath.Join(src, "block"), strings.Repeat("x", 512), 0o644)
	write(t, filepath.Join(src, "locked/file"), "y", 0o400)
	must(t, os.Symlink("a b/-rf", filepath.Join(src, "link")))
	must(t, os.Symlink("../block", filepath.Join(src, "a b/up")))
	must(t, syscall.Mkfifo(filepath.Join(src, "fifo"), 0o600))
	must(t, filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if d.Type().IsRegular() {
			return os.Chtimes(path, moment, moment)
		}
		return err
	}))
	must(t, os.Chmod(filepath.Join(src, "locked"), 0o500))
	must(t, os.Chtimes(filepath.Join(src, "locked"), moment, moment))
	t.Cleanup(func() {
		os.Chmod(filepath.Join(src, "locked"), 0o700)
		os.Chmod(filepath.Join(dir, "dst/locked"), 0o700)
	})

	var progress int64
	r, err := Pack(src, "top", func(n int64) { progress = n })
	must(t, err)
	var packed bytes.Buffer
	_, err = packed.ReadFrom(iotest.OneByteReader(r))
	must(t, err)
	must(t, r.Close())
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	var written int64
	u := NewUnpacker(root, func(n int64) { written = n })
	must(t, u.Unpack(&packed, "dst"))

	must(t, os.Remove(filepath.Join(src, "fifo")))
	must(t, os.Chtimes(src, moment, moment))
	must(t, os.Chtimes(filepath.Join(dir, "dst"), moment, moment))
	if got, want := describe(t, filepath.Join(dir, "dst")), describe(t, src); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if progress != written || written != u.Report().Bytes || written != 2+2+4+5+512+1 {
		t.Errorf("%d bytes read, %d written, %+v", progress, written, u.Report())
	}
}

func TestPackFileThatShrinks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), strings.Repeat("x", 100_000), 0o644)
	r, err := Pack(dir, ".", nil)
	must(t, err)
	defer r.Close()
	_, err = io.ReadFull(r, make([]byte, 4096))
	must(t, err)
	must(t, os.Truncate(filepath.Join(dir, "f"), 10_000))
	if _, err := io.Copy(io.Discard, r); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("Read: %v", err)
	}
}

// entries makes a stream of headers; PAXRecords["content"] is a file's content.
func entries(t testing.TB, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		content := h.PAXRecords["content"]
		h.PAXRecords, h.Size = nil, int64(len(content))
		must(t, w.WriteHeader(&h))
		_, err := io.WriteString(w, content)
		must(t, err)
	}
	must(t, w.Close())
	return &out
}

func dir(name string) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}
}

func file(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, PAXRecords: map[string]string{"content": content}}
}

func link(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
}

// TestHostileStreams unpacks beside a victim, and looks whether it still is
// what it was.
func TestHostileStreams(t *testing.T) {
	for name, test := range map[string]struct {
		stream  []tar.Header
		refused int // links, where the rest is taken
	}{
		"absolute":            {[]tar.Header{dir("t"), file("/victim", "x")}, 0},
		"climbing":            {[]tar.Header{dir("t"), file("t/../../victim", "x")}, 0},
		"climbing at once":    {[]tar.Header{file("../victim", "x")}, 0},
		"beside":              {[]tar.Header{dir("t"), file("victim", "x")}, 0},
		"not a directory":     {[]tar.Header{file("t", "x")}, 0},
		"link as top":         {[]tar.Header{link("t", "../victim"), file("t/f", "x")}, 0},
		"hard link":           {[]tar.Header{dir("t"), {Typeflag: tar.TypeLink, Name: "t/h", Linkname: "../victim"}}, 0},
		"hard link inside":    {[]tar.Header{dir("t"), file("t/a", "x"), {Typeflag: tar.TypeLink, Name: "t/b", Linkname: "t/a"}}, 0},
		"link out":            {[]tar.Header{dir("t"), link("t/l", "../../victim")}, 1},
		"absolute link":       {[]tar.Header{dir("t"), link("t/l", "/etc/passwd")}, 1},
		"link to the parent":  {[]tar.Header{dir("t"), link("t/l", "..")}, 1},
		"write through link":  {[]tar.Header{dir("t"), dir("t/d"), link("t/d/l", "."), file("t/d/l/f", "x")}, 0},
		"chain of links":      {[]tar.Header{dir("t"), dir("t/d"), link("t/d/up", ".."), link("t/out", "d/up/../victim")}, 1},
		"chain, other order":  {[]tar.Header{dir("t"), link("t/out", "d/up/.."), dir("t/d"), link("t/d/up", "..")}, 1},
		"link replaces dir":   {[]tar.Header{dir("t"), dir("t/d"), link("t/d", "../..")}, 1},
		"inner link over dir": {[]tar.Header{dir("t"), dir("t/d"), dir("t/e"), link("t/d", "e"), file("t/d/f", "x")}, 0},
		"file over dir":       {[]tar.Header{dir("t"), dir("t/d"), file("t/d", "x")}, 0},
		"dir over file":       {[]tar.Header{dir("t"), file("t/f", "x"), dir("t/f")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			write(t, filepath.Join(base, "victim"), "untouched", 0o600)
			must(t, os.Mkdir(filepath.Join(base, "target"), 0o755))
			root, err := os.OpenRoot(filepath.Join(base, "target"))
			must(t, err)
			defer root.Close()
			u := NewUnpacker(root, nil)
			err = u.Unpack(entries(t, test.stream...), "copy")
			if (err == nil) != (test.refused > 0) || u.Report().Refused != test.refused {
				t.Errorf("Unpack: %v, %+v", err, u.Report())
			}
			got := describe(t, base)
			if victim, _ := os.ReadFile(filepath.Join(base, "victim")); string(victim) != "untouched" {
				t.Errorf("victim: %q", victim)
			}
			for _, line := range got {
				if !strings.HasPrefix(line, `"target/copy`) && !strings.HasPrefix(line, `"." `) &&
					!strings.HasPrefix(line, `"victim" `) && !strings.HasPrefix(line, `"target" `) {
					t.Errorf("written outside of the copy: %s", line)
				}
			}
		})
	}
}

// TestPlantedLinks unpacks over links that the host has in the target.
func TestPlantedLinks(t *testing.T) {
	base := t.TempDir()
	outside := filepath.Join(base, "outside")
	write(t, filepath.Join(outside, "f"), "untouched", 0o600)
	target := filepath.Join(base, "target")
	must(t, os.MkdirAll(filepath.Join(target, "real"), 0o755))
	must(t, os.Symlink(outside, filepath.Join(target, "out")))
	must(t, os.Symlink("real", filepath.Join(target, "in")))
	must(t, os.Symlink(filepath.Join(outside, "f"), filepath.Join(target, "f")))
	root, err := os.OpenRoot(target)
	must(t, err)
	defer root.Close()
	for _, through := range []string{"out", "in"} {
		err := NewUnpacker(root, nil).Unpack(entries(t, dir("t"), dir("t/"+through), file("t/"+through+"/f", "x")), ".")
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("through %s: %v", through, err)
		}
	}
	must(t, NewUnpacker(root, nil).Unpack(entries(t, dir("t"), file("t/f", "new")), "."))
	if data, _ := os.ReadFile(filepath.Join(outside, "f")); string(data) != "untouched" {
		t.Errorf("outside: %q", data)
	}
	if info, err := os.Lstat(filepath.Join(target, "f")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("in the link's place: %v, %v", info, err)
	}
}

func TestUnpackMerges(t *testing.T) {
	target := t.TempDir()
	write(t, filepath.Join(target, "copy/old"), "old", 0o640)
	write(t, filepath.Join(target, "copy/both"), "old", 0o640)
	must(t, os.Chmod(filepath.Join(target, "copy"), 0o700))
	root, err := os.OpenRoot(target)
	must(t, err)
	defer root.Close()
	must(t, NewUnpacker(root, nil).Unpack(entries(t, dir("t"), file("t/both", "new"), file("t/new", "new")), "copy"))
	for name, want := range map[string]string{"old": "old", "both": "new", "new": "new"} {
		if got, _ := os.ReadFile(filepath.Join(target, "copy", name)); string(got) != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if info, _ := os.Stat(filepath.Join(target, "copy")); info.Mode().Perm() != 0o700 {
		t.Errorf("the directory that was there has become %v", info.Mode())
	}
}

func TestUnpackTakesNoPrivilege(t *testing.T) {
	target := t.TempDir()
	root, err := os.OpenRoot(target)
	must(t, err)
	defer root.Close()
	h := file("t/f", "x")
	h.Mode = 0o7777
	device := tar.Header{Typeflag: tar.TypeChar, Name: "t/null", Devmajor: 1, Devminor: 3}
	must(t, NewUnpacker(root, nil).Unpack(entries(t, dir("t"), h, device), "copy"))
	if info, err := os.Stat(filepath.Join(target, "copy/f")); err != nil || info.Mode() != 0o777 {
		t.Errorf("f: %v, %v", info.Mode(), err)
	}
	if _, err := os.Lstat(filepath.Join(target, "copy/null")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("null: %v", err)
	}
}

// TestSparseBomb unpacks a kilobyte that says it is an exabyte of zeros.
func TestSparseBomb(t *testing.T) {
	var stream bytes.Buffer
	stream.Write(entries(t, dir("t")).Bytes()[:512])
	records := ""
	for _, r := range []string{"GNU.sparse.major=0", "GNU.sparse.minor=1", "GNU.sparse.name=t/bomb", "GNU.sparse.size=1152921504606846976", "GNU.sparse.numblocks=0", "GNU.sparse.map="} {
		n := len(r) + 2
		n += len(fmt.Sprint(n + len(fmt.Sprint(n))))
		records += fmt.Sprintf("%d %s\n", n, r)
	}
	stream.Write(rawHeader("PaxHeaders/bomb", 'x', len(records)))
	stream.WriteString(records + strings.Repeat("\x00", 512-len(records)%512))
	stream.Write(rawHeader("t/bomb", '0', 0))
	stream.Write(make([]byte, 1024))
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	if err := NewUnpacker(root, nil).Unpack(&stream, "copy"); !errors.Is(err, ErrHostile) || !strings.Contains(err.Error(), "sparse") {
		t.Errorf("Unpack: %v", err)
	}
}

// rawHeader is a header that package tar would not write.
func rawHeader(name string, typeflag byte, size int) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x00"+fmt.Sprintf("%011o\x00%011o\x00        %c", size, 0, typeflag))
	copy(b[257:], "ustar\x0000")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

func TestStaysInside(t *testing.T) {
	for _, test := range []struct {
		name, target string
		want         bool
	}{
		{"l", "f", true},
		{"l", "./f", true},
		{"l", "d/f/", true},
		{"d/l", "..", true},
		{"d/l", "../f", true},
		{"d/e/l", "../../f", true},
		{"d/l", "..//f", true},
		{"l", "..a/b", true},
		{"l", ".", true},
		{"l", "", false},
		{"l", "..", false},
		{"l", "/", false},
		{"l", "/etc", false},
		{"d/l", "../..", false},
		{"d/l", "../../f", false},
		{"d/l", "a/../f", false},
		{"d/l", "a/..", false},
		{"l", "./..", false},
		{"d/l", "..//..//f", false},
		{"l", "f\x00", false},
		{"l", strings.Repeat("a/", 3000), false},
	} {
		if got := staysInside(test.name, test.target); got != test.want {
			t.Errorf("staysInside(%q, %.40q) = %v", test.name, test.target, got)
		}
	}
}

// FuzzUnpack unpacks anything; nothing may appear outside of the copy, and no
// link in it may lead out.
func FuzzUnpack(f *testing.F) {
	f.Add(entries(f, dir("t"), file("t/f", "x"), link("t/l", "f")).Bytes())
	f.Add(entries(f, dir("t"), dir("t/d"), link("t/d/up", ".."), link("t/out", "d/up/../victim")).Bytes())
	f.Add(entries(f, dir("t"), link("t/l", "../x"), file("t/l/y", "z"), file("../v", "w")).Bytes())
	f.Fuzz(func(t *testing.T, stream []byte) {
		base := t.TempDir()
		must(t, os.Mkdir(filepath.Join(base, "target"), 0o755))
		root, err := os.OpenRoot(filepath.Join(base, "target"))
		must(t, err)
		defer root.Close()
		_ = NewUnpacker(root, nil).Unpack(bytes.NewReader(stream), "copy")
		for _, in := range []string{base, filepath.Join(base, "target")} {
			list, err := os.ReadDir(in)
			must(t, err)
			if len(list) > 1 {
				t.Fatalf("%s holds %v", in, list)
			}
		}
		checkLinks(t, filepath.Join(base, "target/copy"))
	})
}

// checkLinks follows every link within a root, which refuses those that lead
// out of it.
func checkLinks(t *testing.T, dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type() == fs.ModeSymlink {
			name, _ := filepath.Rel(dir, path)
			if _, err := root.Stat(name); err != nil && strings.Contains(err.Error(), "escapes") {
				t.Errorf("%s leads out", name)
			}
		}
		return nil
	})
}
