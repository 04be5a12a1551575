package agentclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quixand/quixand/internal/envd/filesystem"
	"github.com/quixand/quixand/internal/envd/process"
	"github.com/quixand/quixand/pkg/adapters"
)

func TestParseMode(t *testing.T) {
	for _, mode := range []fs.FileMode{
		0, 0o777, 0o640, fs.ModeDir | 0o755, fs.ModeSymlink | 0o777, fs.ModeDir | fs.ModeSticky | 0o777,
		fs.ModeSetuid | fs.ModeSetgid | 0o755, fs.ModeDevice | fs.ModeCharDevice | 0o600, fs.ModeNamedPipe, fs.ModeSocket | 0o1,
	} {
		if got, ok := parseMode(mode.String()); !ok || got != mode {
			t.Errorf("parseMode(%q) = %v, %v", mode.String(), got, ok)
		}
	}
	for _, s := range []string{"", "rwxrwxrwx", "-rwxrwxrw", "-rwxrwxrwxx", "xrwxrwxrwx", "-r-xw-r-x", strings.Repeat("d", 100)} {
		if got, ok := parseMode(s); ok {
			t.Errorf("parseMode(%q) = %v", s, got)
		}
	}
}

func entryInfo(name, path string) *filesystem.EntryInfo {
	return &filesystem.EntryInfo{Name: name, Path: path, Permissions: "-rw-r--r--", Type: filesystem.FileType_FILE_TYPE_FILE}
}

func TestParseEntry(t *testing.T) {
	link := entryInfo("l", "/a/l")
	link.Permissions, link.SymlinkTarget = "Lrwxrwxrwx", proto.String("/etc")
	link.Type = filesystem.FileType_FILE_TYPE_DIRECTORY
	e, err := parseEntry(link)
	if err != nil || e.Mode.Type() != fs.ModeSymlink || e.Leads != fs.ModeDir || e.Target != "/etc" {
		t.Errorf("link: %+v, %v", e, err)
	}
	for _, good := range []*filesystem.EntryInfo{
		entryInfo("/", "/"), entryInfo("a\nb", "/a\nb"), entryInfo("..a", "/x/..a"), entryInfo("-rf", "/-rf"),
	} {
		if _, err := parseEntry(good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	negative := entryInfo("a", "/a")
	negative.Size = -1
	late := entryInfo("a", "/a")
	late.ModifiedTime = &timestamppb.Timestamp{Seconds: 1 << 60}
	for name, bad := range map[string]*filesystem.EntryInfo{
		"none": nil, "no permissions": {Name: "a", Path: "/a"}, "negative size": negative, "no time": late,
		"parent": entryInfo("..", "/a/.."), "self": entryInfo(".", "/a/."), "slash": entryInfo("b/c", "/a/b/c"),
		"empty": entryInfo("", ""), "relative": entryInfo("a", "a"), "other": entryInfo("a", "/b"),
		"unclean": entryInfo("a", "//a"), "NUL": entryInfo("a\x00", "/a\x00"), "climbing": entryInfo("a", "/x/../a"),
	} {
		if e, err := parseEntry(bad); !errors.Is(err, adapters.ErrInternal) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestParseExit(t *testing.T) {
	for _, test := range []struct {
		end  *process.ProcessEvent_EndEvent
		want Exit
	}{
		{&process.ProcessEvent_EndEvent{Exited: true, Status: "exit status 0"}, Exit{}},
		{&process.ProcessEvent_EndEvent{Exited: true, ExitCode: 255, Status: "exit status 255"}, Exit{Code: 255}},
		{&process.ProcessEvent_EndEvent{ExitCode: -1, Status: "signal: killed"}, Exit{Code: -1, Signal: syscall.SIGKILL}},
		{&process.ProcessEvent_EndEvent{ExitCode: -1, Status: "signal: segmentation fault (core dumped)"}, Exit{Code: -1, Signal: syscall.SIGSEGV}},
		{&process.ProcessEvent_EndEvent{ExitCode: -1, Status: "signal: signal 40"}, Exit{Code: -1, Signal: 40}},
		{&process.ProcessEvent_EndEvent{ExitCode: -1, Status: "unknown"}, Exit{Code: -1}},
	} {
		if got, err := parseExit(test.end); err != nil || *got != test.want {
			t.Errorf("%v: %+v, %v", test.end, got, err)
		}
	}
	for _, end := range []*process.ProcessEvent_EndEvent{
		{ExitCode: 256}, {ExitCode: -2}, {ExitCode: -1, Status: "signal: made up"},
	} {
		if got, err := parseExit(end); !errors.Is(err, adapters.ErrInternal) {
			t.Errorf("%v: %+v, %v", end, got, err)
		}
	}
}

func TestBeginning(t *testing.T) {
	for _, test := range []struct {
		header      string
		asked, want int64
		bad         bool
	}{
		{"0", 0, 0, false},
		{"7", 0, 7, false},
		{"7", 7, 7, false},
		{"7", FromNow, 7, false},
		{"", FromNow, 0, false},
		{"", 0, 0, true},
		{"6", 7, 0, true},
		{"-1", FromNow, 0, true},
		{"x", 0, 0, true},
		{"9223372036854775807", 0, 0, true},
	} {
		got, err := beginning(test.header, test.asked)
		if got != test.want || (err != nil) != test.bad {
			t.Errorf("beginning(%q, %d) = %d, %v", test.header, test.asked, got, err)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", -1: "", 1: "1", time.Second: "1000", 1001 * time.Microsecond: "2", 1 << 62: "9999999999",
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("milliseconds(%d) = %q, want %q", d, got, want)
		}
	}
}

// canned answers every request with the same bytes.
type canned []byte

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		go func() {
			defer req.Body.Close()
			_, _ = io.Copy(io.Discard, req.Body)
		}()
	}
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(c)), req)
}

// FuzzAnswer gives every call an answer of any bytes: none may panic, and what
// fails does so with an error of ours.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + `{"id":"a","workdir":"/w","home":"/h","idleTimeoutMs":1}`,
		"HTTP/1.1 404 No\r\nContent-Type: application/json\r\n\r\n" + `{"code":"not_found","message":"x"}`,
		streamHead + startEvent(5) + envelope(2, []byte(`{"error":{"code":"internal"}}`)),
		protoHead + "\x0a\x04\x0a\x01a\x1a",
		"HTTP/1.1 206 P\r\nContent-Range: bytes 10-19/20\r\nContent-Length: 10\r\n\r\n0123456789",
		"HTTP/1.1 200 OK\r\nQuixand-Entry: CgFhGgIvYQ\r\n\r\n[]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := New(canned(answer))
		for name, call := range calls {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			checkError(t, name, call(ctx, c))
			cancel()
		}
	})
}
