package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
)

func newService(t testing.TB) (s *Service, home string) {
	t.Helper()
	u := identity.Current("/etc")
	u.Home = t.TempDir()
	return New(identity.NewDirectory(identity.Options{EtcDir: "/etc", User: u})), u.Home
}

func pack(s *Service, path string) (w *httptest.ResponseRecorder, aborted bool) {
	w = httptest.NewRecorder()
	defer func() { aborted = recover() != nil }()
	s.Pack(w, httptest.NewRequest(http.MethodGet, "/?path="+url.QueryEscape(path), nil))
	return w, false
}

func unpack(s *Service, path string, body io.Reader) (status int, message string) {
	w := httptest.NewRecorder()
	s.Unpack(w, httptest.NewRequest(http.MethodPut, "/?path="+url.QueryEscape(path), body))
	return w.Code, w.Body.String()
}

// archive writes a tar stream.
func archive(t testing.TB, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		data := h.PAXRecords["data"]
		h.PAXRecords = nil
		h.Size = int64(len(data))
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func file(name, data string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, PAXRecords: map[string]string{"data": data}}
}

// describe lists a tree, one line for each entry.
func describe(t *testing.T, root string) map[string]string {
	t.Helper()
	tree := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		line := fmt.Sprint(info.Mode())
		switch {
		case info.Mode().IsRegular():
			data, _ := os.ReadFile(path)
			line += fmt.Sprintf(" %v %q", info.ModTime().UnixNano(), data)
		case info.Mode()&fs.ModeSymlink != 0:
			link, _ := os.Readlink(path)
			line += " " + link
		default:
			line += fmt.Sprint(" ", info.ModTime().UnixNano())
		}
		name, _ := filepath.Rel(root, path)
		tree[name] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestRoundTrip(t *testing.T) {
	s, home := newService(t)
	src := filepath.Join(home, "src dir")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("long-name-", 20)
	must(os.MkdirAll(filepath.Join(src, "a", long), 0o755))
	must(os.Mkdir(filepath.Join(src, "locked"), 0o755))
	must(os.WriteFile(filepath.Join(src, "a", "file"), bytes.Repeat([]byte("x\x00"), 100_000), 0o600))
	must(os.WriteFile(filepath.Join(src, "a", long, "naïve \n\xff name"), nil, 0o755))
	must(os.WriteFile(filepath.Join(src, "locked", "f"), []byte("y"), 0o444))
	must(os.Symlink("/no/where", filepath.Join(src, "dangling")))
	must(os.Symlink("a", filepath.Join(src, "link")))
	must(unix.Mkfifo(filepath.Join(src, "fifo"), 0o644))
	must(os.Chmod(filepath.Join(src, "locked"), 0o555))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(src, "locked"), 0o755) })
	must(os.Chtimes(filepath.Join(src, "a", "file"), time.Time{}, time.Unix(1e9, 123456789)))

	res, aborted := pack(s, "src dir")
	if res.Code != http.StatusOK || aborted {
		t.Fatal(res.Code, aborted)
	}
	if status, message := unpack(s, "dst", res.Body); status != http.StatusOK {
		t.Fatal(status, message)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(home, "dst", "src dir", "locked"), 0o755) })
	want, got := describe(t, src), describe(t, filepath.Join(home, "dst", "src dir"))
	delete(want, "fifo")
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestPackOneFile(t *testing.T) {
	s, home := newService(t)
	if err := os.WriteFile(filepath.Join(home, "f"), []byte("hi"), 0o640); err != nil {
		t.Fatal(err)
	}
	res, _ := pack(s, "f")
	r := tar.NewReader(res.Body)
	h, err := r.Next()
	if err != nil || h.Name != "f" || h.Mode != 0o640 || h.Size != 2 || h.Uid != os.Getuid() || h.Uname != "" {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestPackMissing(t *testing.T) {
	s, _ := newService(t)
	if res, _ := pack(s, "nothing"); res.Code != http.StatusNotFound {
		t.Error(res.Code)
	}
}

func TestPackLeavesOutTheKernelsFiles(t *testing.T) {
	s, _ := newService(t)
	res, aborted := pack(s, "/proc")
	r := tar.NewReader(res.Body)
	if h, err := r.Next(); aborted || err != nil || h.Name != "proc/" {
		t.Error(h, err, aborted)
	}
	if h, err := r.Next(); err != io.EOF {
		t.Error(h, err)
	}
}

func TestUnpackReplacesAllButDirectories(t *testing.T) {
	s, home := newService(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "old"), []byte("old and long"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(home, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if status, message := unpack(s, "~", archive(t, file("link", "new"), file("old", "new"))); status != http.StatusOK {
		t.Fatal(status, message)
	}
	if data, _ := os.ReadFile(outside); string(data) != "kept" {
		t.Errorf("a link was followed: %q", data)
	}
	for _, name := range []string{"link", "old"} {
		info, err := os.Lstat(filepath.Join(home, name))
		if err != nil || !info.Mode().IsRegular() || info.Size() != 3 {
			t.Error(name, info, err)
		}
	}
	if status, message := unpack(s, "~", archive(t, file("dir", "x"))); status != http.StatusBadRequest {
		t.Error(status, message)
	}
}

func TestUnpackStaysInside(t *testing.T) {
	outside := t.TempDir()
	dirLink := tar.Header{Typeflag: tar.TypeSymlink, Name: "out", Linkname: outside}
	for name, entries := range map[string][]tar.Header{
		"parent":              {file("../evil", "x")},
		"parent in the midst": {file("a/../../evil", "x")},
		"through a link":      {dirLink, file("out/evil", "x")},
		"mkdir via a link":    {dirLink, {Typeflag: tar.TypeDir, Name: "out/evil", Mode: 0o755}},
		"link to outside":     {{Typeflag: tar.TypeLink, Name: "evil", Linkname: "../../etc/passwd"}},
		"link via a link":     {dirLink, {Typeflag: tar.TypeLink, Name: "out/evil", Linkname: "out"}},
		"device":              {{Typeflag: tar.TypeChar, Name: "evil", Devmajor: 1, Devminor: 3}},
		"fifo":                {{Typeflag: tar.TypeFifo, Name: "evil"}},
	} {
		s, home := newService(t)
		status, message := unpack(s, "t", archive(t, entries...))
		if status < 400 || status == http.StatusInsufficientStorage {
			t.Errorf("%s: %d %s", name, status, message)
		}
		for _, dir := range []string{outside, home, filepath.Join(home, "t")} {
			if _, err := os.Lstat(filepath.Join(dir, "evil")); err == nil {
				t.Errorf("%s: evil exists in %s", name, dir)
			}
		}
	}
}

func TestUnpackAbsoluteNamesAreRelative(t *testing.T) {
	s, home := newService(t)
	if status, message := unpack(s, "t", archive(t, file("/abs/f", "x"), tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "/abs/f"})); status != http.StatusOK {
		t.Fatal(status, message)
	}
	a, errA := os.Stat(filepath.Join(home, "t", "abs", "f"))
	b, errB := os.Stat(filepath.Join(home, "t", "hard"))
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		t.Error(errA, errB)
	}
}

func TestUnpackDescribesItsTarget(t *testing.T) {
	s, home := newService(t)
	mtime := time.Unix(1e9, 0)
	root := tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o750, ModTime: mtime}
	if status, message := unpack(s, "t", archive(t, root, file("./f", "x"))); status != http.StatusOK {
		t.Fatal(status, message)
	}
	info, err := os.Stat(filepath.Join(home, "t"))
	if err != nil || info.Mode().Perm() != 0o750 || !info.ModTime().Equal(mtime) {
		t.Error(info, err)
	}
}

func TestUnpackTellsHowFarItCame(t *testing.T) {
	whole := archive(t, file("one", "1234"), file("two", strings.Repeat("\x00", 4096))).Bytes()
	for _, n := range []int{512, 1024, 1024 + 100, 1024 + 512, 1024 + 512 + 100, 1024 + 512 + 4096, len(whole) - 1024} {
		s, _ := newService(t)
		status, message := unpack(s, "t", bytes.NewReader(whole[:n]))
		if status != http.StatusBadRequest || !strings.Contains(message, "unpacked") {
			t.Errorf("cut at %d of %d: %d %s", n, len(whole), status, message)
		}
	}
	s, _ := newService(t)
	_, message := unpack(s, "t", bytes.NewReader(whole[:1024+512+100]))
	if !strings.Contains(message, "unpacked 1 entries with 104 bytes") {
		t.Error(message)
	}
	corrupt := slices.Clone(whole)
	corrupt[1024+10] ^= 1
	if status, message := unpack(s, "t", bytes.NewReader(corrupt)); status != http.StatusBadRequest || !strings.Contains(message, "unpacked 1 entries with 4 bytes") {
		t.Error(status, message)
	}
}

func TestUnpackIntoAFile(t *testing.T) {
	s, home := newService(t)
	if err := os.WriteFile(filepath.Join(home, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, message := unpack(s, "f", archive(t)); status != http.StatusBadRequest {
		t.Error(status, message)
	}
}

func FuzzUnpack(f *testing.F) {
	s, home := newService(f)
	f.Add(archive(f, file("a/b", "data"), file("c", "")).Bytes())
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/"}, file("l/tmp/evil", "x")).Bytes())
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeLink, Name: "l", Linkname: "../secret"}).Bytes())
	secret := filepath.Join(home, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		unpack(s, "t", bytes.NewReader(data))
		if err := os.RemoveAll(filepath.Join(home, "t")); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(home)
		if err != nil || len(entries) != 1 {
			t.Fatalf("beside the target: %v, %v", entries, err)
		}
		var st unix.Stat_t
		if err := unix.Stat(secret, &st); err != nil || st.Nlink != 1 || st.Size != 6 {
			t.Fatalf("the secret was touched: %+v, %v", st, err)
		}
	})
}

func BenchmarkUnpack10000Files(b *testing.B) {
	s, home := newService(b)
	var entries []tar.Header
	for i := range 10_000 {
		entries = append(entries, file(fmt.Sprintf("dir%d/sub/file%d", i/100, i), strings.Repeat("x", 1024)))
	}
	data := archive(b, entries...).Bytes()
	b.ResetTimer()
	for i := range b.N {
		if status, message := unpack(s, fmt.Sprint(i), bytes.NewReader(data)); status != http.StatusOK {
			b.Fatal(status, message)
		}
	}
	b.StopTimer()
	_ = os.RemoveAll(home)
}
