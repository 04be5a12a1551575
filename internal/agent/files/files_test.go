package files

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agentapi"
)

func newService(t testing.TB) (s *Service, home string) {
	t.Helper()
	u := identity.Current("/etc")
	u.Home = t.TempDir()
	return New(identity.NewDirectory(identity.Options{EtcDir: "/etc", User: u})), u.Home
}

// query makes a target of alternating names and values.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "/files?" + q.Encode()
}

// answer is a response that was read.
type answer struct {
	StatusCode    int
	Header        http.Header
	ContentLength int64
	Body          string
}

func get(s *Service, target string, headers ...string) answer {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Download(w, r)
	res := w.Result()
	defer res.Body.Close()
	return answer{res.StatusCode, res.Header, res.ContentLength, w.Body.String()}
}

func post(s *Service, target, contentType string, body io.Reader, headers ...string) (status int, answer string) {
	r := httptest.NewRequest(http.MethodPost, target, body)
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Upload(w, r)
	return w.Code, w.Body.String()
}

const octets = "application/octet-stream"

// part is one part of a multipart body.
type part struct{ field, filename, data string }

func form(t testing.TB, parts ...part) (contentType string, body *bytes.Buffer) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, p := range parts {
		disposition := fmt.Sprintf(`form-data; name=%q`, p.field)
		if p.filename != "" {
			disposition += fmt.Sprintf(`; filename="%s"`, p.filename)
		}
		f, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {disposition}})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, p.data)
	}
	w.Close()
	return w.FormDataContentType(), body
}

func wantFile(t testing.TB, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %q, %v, want %q", path, got, err, want)
	}
}

func wantMode(t testing.TB, path string, want os.FileMode) {
	t.Helper()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
		t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"plain", "with space", "new\nline", "naïve-日本", "-rf", "a&b=c?d#e%20", "~x"[1:], "dir/deep/file", `quote"back\slash`, strings.Repeat("n", 255)} {
		s, home := newService(t)
		status, answer := post(s, query("path", name), octets, strings.NewReader("data"))
		if status != http.StatusOK {
			t.Errorf("%q: %d %s", name, status, answer)
		}
		var got []map[string]any
		if err := json.Unmarshal([]byte(answer), &got); err != nil || len(got) != 1 || len(got[0]) != 3 ||
			got[0]["path"] != filepath.Join(home, name) || got[0]["name"] != filepath.Base(name) || got[0]["type"] != "file" {
			t.Errorf("%q: %s", name, answer)
		}
		wantFile(t, filepath.Join(home, name), "data")
		if res := get(s, query("path", name)); res.StatusCode != http.StatusOK || res.Body != "data" {
			t.Errorf("%q: %v", name, res)
		}
	}
}

func TestMultipart(t *testing.T) {
	s, home := newService(t)
	contentType, b := form(t, part{"other", "x", "ignored"}, part{"file", "a/b.txt", "one"}, part{"file", home + "/ä ö.txt", "two"}, part{"file", "empty", ""})
	status, answer := post(s, "/files", contentType, b)
	want := fmt.Sprintf(`[{"path":"%s/a/b.txt","name":"b.txt","type":"file"},{"path":"%s/ä ö.txt","name":"ä ö.txt","type":"file"},{"path":"%s/empty","name":"empty","type":"file"}]`+"\n", home, home, home)
	if status != http.StatusOK || answer != want {
		t.Errorf("%d %s", status, answer)
	}
	wantFile(t, home+"/a/b.txt", "one")
	wantFile(t, home+"/ä ö.txt", "two")
	wantFile(t, home+"/empty", "")

	contentType, b = form(t, part{"file", "", "by the query"})
	if status, answer := post(s, query("path", "q"), contentType, b); status != http.StatusOK {
		t.Error(status, answer)
	}
	wantFile(t, home+"/q", "by the query")

	contentType, b = form(t)
	if status, answer := post(s, "/files", contentType, b); status != http.StatusOK || answer != "[]\n" {
		t.Error(status, answer)
	}
}

// A body that ends too soon is no whole file, however much of it has come.
func TestMultipartCutOff(t *testing.T) {
	s, home := newService(t)
	data := strings.Repeat("x", 600<<10)
	contentType, b := form(t, part{"file", "cut", data})
	b.Truncate(b.Len() - 100)
	if status, answer := post(s, "/files", contentType, b); status != http.StatusBadRequest {
		t.Error(status, answer)
	}
	if info, err := os.Stat(home + "/cut"); err != nil || info.Size() < 500<<10 {
		t.Errorf("what has come is not there: %v, %v", info, err)
	}
}

func TestUploadReplacesInPlace(t *testing.T) {
	s, home := newService(t)
	path := filepath.Join(home, "f")
	if err := os.WriteFile(path, []byte("old and longer"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("f", filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	if status, answer := post(s, query("path", "link"), octets, strings.NewReader("new")); status != http.StatusOK {
		t.Fatal(status, answer)
	}
	after, _ := os.Stat(path)
	if !os.SameFile(before, after) {
		t.Error("the file was not replaced in place")
	}
	wantFile(t, path, "new")
	wantMode(t, path, 0o640)
	if err := os.Symlink("later", filepath.Join(home, "dangling")); err != nil {
		t.Fatal(err)
	}
	if status, answer := post(s, query("path", "dangling"), octets, strings.NewReader("new")); status != http.StatusOK {
		t.Fatal(status, answer)
	}
	wantFile(t, filepath.Join(home, "later"), "new")
}

// TestOldContentsNeverShineThrough what replaces them.
func TestOldContentsNeverShineThrough(t *testing.T) {
	s, home := newService(t)
	path := filepath.Join(home, "f")
	for _, c := range []struct {
		body io.Reader
		want string
	}{
		{strings.NewReader(""), ""},
		{strings.NewReader("new"), "new"},
		{strings.NewReader("just as long"), "just as long"},
		{strings.NewReader("longer than before"), "longer than before"},
		{io.MultiReader(strings.NewReader("part"), iotest.ErrReader(io.ErrUnexpectedEOF)), "part"},
		{iotest.ErrReader(io.ErrUnexpectedEOF), ""},
	} {
		if err := os.WriteFile(path, []byte("old contents"), 0o600); err != nil {
			t.Fatal(err)
		}
		post(s, query("path", "f"), octets, c.body)
		wantFile(t, path, c.want)
	}
}

func TestEmptyUploadsTouch(t *testing.T) {
	s, home := newService(t)
	path := filepath.Join(home, "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	post(s, query("path", "f"), octets, strings.NewReader(""))
	if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Error(info.ModTime(), err)
	}
}

func TestModes(t *testing.T) {
	s, home := newService(t)
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	if status, _ := post(s, query("path", "a/f"), octets, strings.NewReader("")); status != http.StatusOK {
		t.Fatal(status)
	}
	wantMode(t, home+"/a/f", 0o644)
	wantMode(t, home+"/a", 0o755)
	for _, mode := range []os.FileMode{0o755, 0o777, 0o600, 0} {
		if status, answer := post(s, query("path", "f"), octets, strings.NewReader(""), agentapi.HeaderFileMode, fmt.Sprintf("%o", mode)); status != http.StatusOK {
			t.Fatal(status, answer)
		}
		wantMode(t, home+"/f", mode)
		if err := os.Remove(home + "/f"); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range []string{"8", "-1", "rwx", "7777", "1000"} {
		if status, _ := post(s, query("path", "f"), octets, strings.NewReader(""), agentapi.HeaderFileMode, mode); status != http.StatusBadRequest {
			t.Errorf("mode %q: %d", mode, status)
		}
	}
}

func TestGzipUpload(t *testing.T) {
	s, home := newService(t)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, "unpacked")
	z.Close()
	if status, answer := post(s, query("path", "f"), octets, bytes.NewReader(b.Bytes()), "Content-Encoding", "gzip"); status != http.StatusOK {
		t.Fatal(status, answer)
	}
	wantFile(t, home+"/f", "unpacked")
	for encoding, body := range map[string][]byte{"br": b.Bytes(), "gzip": b.Bytes()[:10], "GZIP": []byte("no gzip at all")} {
		if status, answer := post(s, query("path", "f"), octets, bytes.NewReader(body), "Content-Encoding", encoding); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", encoding, status, answer)
		}
	}
}

func TestMetadata(t *testing.T) {
	s, home := newService(t)
	if err := unix.Setxattr(home, "user.test", []byte("x"), 0); err == unix.ENOTSUP {
		if status, answer := post(s, query("path", "f"), octets, strings.NewReader(""), "X-Metadata-A", "b"); status != http.StatusOK || strings.Contains(answer, "metadata") {
			t.Error(status, answer)
		}
		return
	}
	_, answer := post(s, query("path", "f"), octets, strings.NewReader(""), "X-Metadata-Author", "Me & You", "X-Metadata-b", "2")
	if !strings.Contains(answer, `"metadata":{"author":"Me \u0026 You","b":"2"}`) {
		t.Error(answer)
	}
	post(s, query("path", "f"), octets, strings.NewReader(""), "X-Metadata-c", "3")
	names := make([]byte, 1000)
	n, _ := unix.Listxattr(filepath.Join(home, "f"), names)
	if string(names[:n]) != "user.e2b.c\x00" {
		t.Errorf("%q", names[:n])
	}
	for key, value := range map[string]string{strings.Repeat("k", 247): "v", "big": strings.Repeat("v", 4096), "ctl": "a\x01"} {
		if status, _ := post(s, query("path", "f"), octets, strings.NewReader(""), "X-Metadata-"+key, value); status != http.StatusBadRequest {
			t.Errorf("%.10s: %d", key, status)
		}
	}
}

func TestRefusedUploads(t *testing.T) {
	s, home := newService(t)
	if err := os.WriteFile(filepath.Join(home, "file"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(home, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	twice, twiceBody := form(t, part{"file", "x", "1"}, part{"file", "./x", "2"})
	nameless, namelessBody := form(t, part{"file", "", "1"})
	two, twoBody := form(t, part{"file", "x", "1"}, part{"file", "y", "2"})
	cut, cutBody := form(t, part{"file", "x", strings.Repeat("1", 10_000)})
	cutBody.Truncate(5000)
	for name, c := range map[string]struct {
		target, contentType string
		body                io.Reader
		want                int
	}{
		"no path":            {"/files", octets, strings.NewReader("x"), 400},
		"a directory":        {query("path", "."), octets, strings.NewReader("x"), 400},
		"through a file":     {query("path", "file/x"), octets, strings.NewReader("x"), 400},
		"a FIFO":             {query("path", "fifo"), octets, strings.NewReader("x"), 400},
		"a device":           {query("path", "/dev/null"), octets, strings.NewReader("x"), 400},
		"NUL":                {query("path", "a\x00b"), octets, strings.NewReader("x"), 400},
		"another's home":     {query("path", "~root/x"), octets, strings.NewReader("x"), 400},
		"a long name":        {query("path", strings.Repeat("x", 256)), octets, strings.NewReader("x"), 400},
		"an unknown user":    {query("path", "x", "username", "no-such-user"), octets, strings.NewReader("x"), 401},
		"an unknown type":    {query("path", "x"), "text/plain", strings.NewReader("x"), 400},
		"no type":            {query("path", "x"), "", strings.NewReader("x"), 400},
		"no boundary":        {query("path", "x"), "multipart/form-data", strings.NewReader("x"), 400},
		"no multipart":       {query("path", "x"), "multipart/form-data; boundary=x", strings.NewReader("x"), 400},
		"a path twice":       {"/files", twice, twiceBody, 400},
		"no name":            {"/files", nameless, namelessBody, 400},
		"two for one path":   {query("path", "x"), two, twoBody, 400},
		"a broken body":      {query("path", "x"), octets, iotest.ErrReader(io.ErrUnexpectedEOF), 400},
		"a broken multipart": {"/files", cut, cutBody, 400},
	} {
		status, answer := post(s, c.target, c.contentType, c.body)
		var e struct {
			Message string
			Code    int
		}
		if err := json.Unmarshal([]byte(answer), &e); status != c.want || err != nil || e.Code != status || e.Message == "" {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	wantFile(t, filepath.Join(home, "file"), "kept")
}

func TestDiskFull(t *testing.T) {
	s, home := newService(t)
	if err := os.Symlink("/dev/full", filepath.Join(home, "full")); err != nil {
		t.Fatal(err)
	}
	// /dev/full is a device, and devices are refused; so the writing is tried
	// on its own.
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := httptest.NewRecorder()
	_, err = copyInto(f, strings.NewReader("x"))
	httperr.WriteErr(w, err)
	if w.Code != http.StatusInsufficientStorage {
		t.Error(w.Code, w.Body)
	}
	if status, _ := post(s, query("path", "full"), octets, strings.NewReader("x")); status != http.StatusBadRequest {
		t.Error(status)
	}
}

func TestDownload(t *testing.T) {
	s, home := newService(t)
	if err := os.WriteFile(filepath.Join(home, "ä.html"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	target := query("path", "ä.html")
	res := get(s, target)
	if res.Body != "0123456789" || res.ContentLength != 10 {
		t.Error(res)
	}
	for name, want := range map[string]string{
		"Content-Disposition": "inline; filename*=utf-8''%C3%A4.html", "Vary": "Accept-Encoding",
		"Content-Type": "text/html; charset=utf-8", "Accept-Ranges": "bytes", "Content-Encoding": "",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if res := get(s, target, "Range", "bytes=2-4", "Accept-Encoding", "gzip"); res.StatusCode != http.StatusPartialContent || res.Body != "234" {
		t.Error(res)
	}
	if res := get(s, target, "If-None-Match", res.Header.Get("Etag")); res.StatusCode != http.StatusNotModified {
		t.Error(res)
	}
	if res := get(s, target, "If-Modified-Since", res.Header.Get("Last-Modified")); res.StatusCode != http.StatusNotModified {
		t.Error(res)
	}
	if res := get(s, target, "Range", "bytes=20-"); res.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Error(res)
	}
}

func TestEncodings(t *testing.T) {
	s, home := newService(t)
	if err := os.WriteFile(filepath.Join(home, "f"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for accept, want := range map[string]string{
		"gzip": "gzip", "": "", "gzip, deflate": "", "gzip, deflate, br": "", "*": "", "identity": "", "deflate": "",
		"gzip;q=1, identity;q=0": "gzip", "gzip, *;q=0": "gzip", "*;q=0": "406", "identity;q=0, gzip;q=0": "406", "identity;q=0": "406",
	} {
		res := get(s, query("path", "f"), "Accept-Encoding", accept)
		if want == "406" {
			if res.StatusCode != http.StatusNotAcceptable {
				t.Errorf("%q: %v", accept, res.StatusCode)
			}
			continue
		}
		if got := res.Header.Get("Content-Encoding"); got != want || res.StatusCode != http.StatusOK {
			t.Errorf("%q: %v, %q", accept, res.StatusCode, got)
		}
		if want == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(res.Body))
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(z); string(b) != "text" || err != nil {
				t.Errorf("%q: %q, %v", accept, b, err)
			}
		}
	}
}

func TestRefusedDownloads(t *testing.T) {
	s, home := newService(t)
	if err := unix.Mkfifo(filepath.Join(home, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{
		query("path", "nothing"): 404, query("path", "file/x"): 404, query("path", "."): 400, "/files": 400,
		query("path", "fifo"): 400, query("path", "/dev/zero"): 400, query("path", "a\x00"): 400,
		query("path", "file", "username", "no-such-user"): 401,
	} {
		if res := get(s, target); res.StatusCode != want {
			t.Errorf("%s: %v", target, res.StatusCode)
		}
	}
}

func TestFilesWithoutSize(t *testing.T) {
	s, home := newService(t)
	if res := get(s, query("path", "/proc/self/status")); !strings.Contains(res.Body, "Pid:") {
		t.Error(res)
	}
	if err := os.WriteFile(filepath.Join(home, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if res := get(s, query("path", "empty")); res.StatusCode != http.StatusOK || res.ContentLength != 0 || res.Body != "" {
		t.Error(res)
	}
}

func TestCompose(t *testing.T) {
	s, home := newService(t)
	compose := func(request string) (int, string) {
		w := httptest.NewRecorder()
		s.Compose(w, httptest.NewRequest(http.MethodPost, "/files/compose", strings.NewReader(request)))
		return w.Code, w.Body.String()
	}
	for i := range 3 {
		if err := os.WriteFile(fmt.Sprintf("%s/p%d", home, i), bytes.Repeat([]byte{byte('a' + i)}, 3), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status, answer := compose(`{"source_paths":["p1","p0","~/p2"],"destination":"new/whole"}`)
	if status != http.StatusOK || !strings.Contains(answer, `"path":"`+home+`/new/whole","name":"whole","type":"file"`) {
		t.Error(status, answer)
	}
	wantFile(t, home+"/new/whole", "bbbaaaccc")
	if entries, _ := os.ReadDir(home); len(entries) != 1 {
		t.Error(entries)
	}
	for request, want := range map[string]int{
		`{}`: 400, `no json`: 400, `{"source_paths":["x"],"destination":"y"}`: 404,
		`{"source_paths":["new/whole"],"destination":"new/whole"}`: 400, `{"source_paths":["new/whole"],"destination":"y","username":"no-such-user"}`: 401,
	} {
		if status, answer := compose(request); status != want {
			t.Errorf("%s: %d %s", request, status, answer)
		}
	}
	wantFile(t, home+"/new/whole", "bbbaaaccc")
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{
		`form-data; name="file"; filename="a/b.txt"`, `form-data; filename*=utf-8''%e4%b8%ad`, `form-data; filename="a\"b\\c"`,
		`form-data; filename="a%22b%0A"`, `; filename=x`, `form-data; filename="` + "\xff\x00" + `"`,
	} {
		f.Add(s)
	}
	u := identity.User{Home: "/home/u"}
	f.Fuzz(func(t *testing.T, disposition string) {
		if path, err := u.Path(fileName(disposition)); err == nil && !filepath.IsAbs(path) {
			t.Errorf("%q", path)
		}
	})
}

func FuzzMultipart(f *testing.F) {
	contentType, b := form(f, part{"file", "a/b", "data"}, part{"file", "", ""}, part{"other", "x", "y"})
	f.Add(contentType, b.Bytes())
	s, home := newService(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		if status, answer := post(s, query("path", "target"), contentType, bytes.NewReader(body)); status != 200 && status != 400 {
			t.Errorf("%d %s", status, answer)
		}
		entries, err := os.ReadDir(home)
		if err != nil || len(entries) > 1 || len(entries) == 1 && entries[0].Name() != "target" {
			t.Fatal(entries, err)
		}
	})
}
