package quixand_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/envd/filesystem"
	fsconnect "github.com/quixand/quixand/internal/envd/filesystem/filesystemconnect"
	"github.com/quixand/quixand/internal/envd/process"
	procconnect "github.com/quixand/quixand/internal/envd/process/processconnect"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// liar is an agent that says what a test wants it to say. The client's own
// tests have the liars that break the protocol; these keep to it.
type liar struct {
	fsconnect.UnimplementedFilesystemHandler
	procconnect.UnimplementedProcessHandler

	entry   *filesystem.EntryInfo   // of Stat
	entries []*filesystem.EntryInfo // of ListDir
	event   *filesystem.FilesystemEvent
	http    http.HandlerFunc // /files and the archive
	id      string

	signalled chan struct{}
}

func (l *liar) Stat(context.Context, *connect.Request[filesystem.StatRequest]) (*connect.Response[filesystem.StatResponse], error) {
	return connect.NewResponse(&filesystem.StatResponse{Entry: l.entry}), nil
}

func (l *liar) ListDir(context.Context, *connect.Request[filesystem.ListDirRequest]) (*connect.Response[filesystem.ListDirResponse], error) {
	return connect.NewResponse(&filesystem.ListDirResponse{Entries: l.entries}), nil
}

func (l *liar) WatchDir(_ context.Context, _ *connect.Request[filesystem.WatchDirRequest], s *connect.ServerStream[filesystem.WatchDirResponse]) error {
	return s.Send(&filesystem.WatchDirResponse{Event: &filesystem.WatchDirResponse_Filesystem{Filesystem: l.event}})
}

// Start begins a process that never ends, whatever signal it gets.
func (l *liar) Start(ctx context.Context, _ *connect.Request[process.StartRequest], s *connect.ServerStream[process.StartResponse]) error {
	start := &process.ProcessEvent_StartEvent{Pid: 42}
	if err := s.Send(&process.StartResponse{Event: &process.ProcessEvent{Event: &process.ProcessEvent_Start{Start: start}}}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (l *liar) SendSignal(context.Context, *connect.Request[process.SendSignalRequest]) (*connect.Response[process.SendSignalResponse], error) {
	close(l.signalled)
	return connect.NewResponse(&process.SendSignalResponse{}), nil
}

func (l *liar) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(agentapi.Status{ID: l.id, Workdir: "/w", Home: "/h"})
}

// toServer sends every request to one server.
type toServer struct{ base *url.URL }

func (t toServer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host = t.base.Host
	return http.DefaultTransport.RoundTrip(req)
}

// engineOf is an engine with one sandbox.
type engineOf struct {
	adapters.Adapter
	rt http.RoundTripper
}

func (e engineOf) Transport(context.Context, string, int) (http.RoundTripper, error) {
	return e.rt, nil
}

func (engineOf) Get(_ context.Context, id string) (*adapters.Info, error) {
	return &adapters.Info{ID: id, State: adapters.StateRunning}, nil
}

func (engineOf) Resolve(prefix string) (string, bool, error) { return prefix, true, nil }

func (l *liar) connect(t *testing.T) (*quixand.Sandbox, error) {
	t.Helper()
	l.signalled = make(chan struct{})
	if l.id == "" {
		l.id = "liar"
	}
	mux := http.NewServeMux()
	mux.Handle(fsconnect.NewFilesystemHandler(l))
	mux.Handle(procconnect.NewProcessHandler(l))
	mux.Handle(agentapi.PathStatus, l)
	if l.http != nil {
		mux.Handle("/files", l.http)
		mux.Handle(agentapi.PathArchive, l.http)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	base, err := url.Parse(server.URL)
	must(t, err)
	return clientOf(t, engineOf{rt: toServer{base}}).Connect(t.Context(), "liar")
}

func (l *liar) sandbox(t *testing.T) *quixand.Sandbox {
	t.Helper()
	sb, err := l.connect(t)
	must(t, err)
	return sb
}

func entry(path, permissions string) *filesystem.EntryInfo {
	return &filesystem.EntryInfo{Name: filepath.Base(path), Path: path, Permissions: permissions, Type: filesystem.FileType_FILE_TYPE_FILE}
}

func TestAnotherSandboxAnswers(t *testing.T) {
	if _, err := (&liar{id: "other"}).connect(t); !errors.Is(err, quixand.ErrInternal) {
		t.Errorf("Connect: %v", err)
	}
}

func TestLyingNames(t *testing.T) {
	for _, e := range []*filesystem.EntryInfo{
		{Name: "../../x", Path: "/w/../../x", Permissions: "-rw-r--r--"},
		{Name: "..", Path: "/w/..", Permissions: "drwxr-xr-x"},
		{Name: "a/b", Path: "/w/a/b", Permissions: "-rw-r--r--"},
		{Name: "", Path: "", Permissions: "-rw-r--r--"},
		{Name: "x", Path: "/w/x", Permissions: "-rw-r--r--", Size: -1},
	} {
		sb := (&liar{entry: e, entries: []*filesystem.EntryInfo{e}}).sandbox(t)
		_, statErr := sb.Files.Stat(t.Context(), "x")
		_, listErr := sb.Files.List(t.Context(), ".", 1)
		_, globErr := sb.Files.Glob(t.Context(), "*")
		getErr := sb.Files.Get(t.Context(), "x", t.TempDir(), nil)
		for call, err := range map[string]error{"stat": statErr, "list": listErr, "glob": globErr, "get": getErr} {
			if !errors.Is(err, quixand.ErrInternal) {
				t.Errorf("%s of %q: %v", call, e.Path, err)
			}
		}
	}
	sb := (&liar{event: &filesystem.FilesystemEvent{Name: "../x", Type: filesystem.EventType_EVENT_TYPE_CREATE}}).sandbox(t)
	for e, err := range sb.Files.Watch(t.Context(), ".", nil) {
		if !errors.Is(err, quixand.ErrInternal) {
			t.Errorf("watch: %+v, %v", e, err)
		}
	}
}

func TestLyingSizes(t *testing.T) {
	size := "10000000000"
	sb := (&liar{http: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", size)
		w.Write([]byte("short"))
	}}).sandbox(t)
	if _, err := sb.Files.Read(t.Context(), "x"); !errors.Is(err, quixand.ErrExhausted) {
		t.Errorf("10 GB: %v", err)
	}
	size = "200000000"
	if data, err := sb.Files.Read(t.Context(), "x"); !errors.Is(err, quixand.ErrUnavailable) || len(data) > 0 {
		t.Errorf("200 MB: %d bytes, %v", len(data), err)
	}
}

func TestLyingRanges(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"another one": func(w http.ResponseWriter) { rangeOf(w, "bytes 0-4/10") },
		"no word":     func(w http.ResponseWriter) { rangeOf(w, "") },
	} {
		sb := (&liar{http: func(w http.ResponseWriter, _ *http.Request) { answer(w) }}).sandbox(t)
		if _, err := sb.Files.OpenRange(t.Context(), "x", 5, 2); !errors.Is(err, quixand.ErrInternal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter)
		want   string
	}{
		"longer":    {func(w http.ResponseWriter) { rangeOf(w, "bytes 5-6/10") }, "to"},
		"all of it": {func(w http.ResponseWriter) { io.WriteString(w, "0123456789") }, "56"},
		"shorter":   {func(w http.ResponseWriter) { io.WriteString(w, "0123") }, ""},
	} {
		sb := (&liar{http: func(w http.ResponseWriter, _ *http.Request) { test.answer(w) }}).sandbox(t)
		r, err := sb.Files.OpenRange(t.Context(), "x", 5, 2)
		must(t, err)
		if got, err := io.ReadAll(r); err != nil || string(got) != test.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func rangeOf(w http.ResponseWriter, r string) {
	w.Header().Set("Content-Range", r)
	w.WriteHeader(http.StatusPartialContent)
	io.WriteString(w, "too much")
}

// TestBrokenTransfers breaks the connection where a careless reader would take
// that for the end.
func TestBrokenTransfers(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "dir/", Mode: 0o755}))
	must(t, w.WriteHeader(&tar.Header{Name: "dir/one", Size: 512, Mode: 0o644}))
	_, err := w.Write(make([]byte, 512))
	must(t, err)
	for name, begin := range map[string]func(http.ResponseWriter){
		"counted": func(w http.ResponseWriter) { w.Header().Set("Content-Length", "100000") },
		"chunked": func(http.ResponseWriter) {},
	} {
		l := &liar{entry: entry("/w/dir", "drwxr-xr-x")}
		l.http = func(w http.ResponseWriter, r *http.Request) {
			begin(w)
			if r.Header.Get("Range") != "" {
				w.Header().Set("Content-Range", "bytes 0-99/100")
				w.WriteHeader(http.StatusPartialContent)
			}
			w.Write(archive.Bytes())
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		sb, dir := l.sandbox(t), t.TempDir()
		err := sb.Files.Get(t.Context(), "dir", filepath.Join(dir, "copy"), nil)
		if !errors.Is(err, quixand.ErrUnavailable) || !strings.Contains(err.Error(), "2 entries and 512 bytes were copied before") {
			t.Errorf("%s: Get: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "copy/one")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := sb.Files.Read(t.Context(), "x"); !errors.Is(err, quixand.ErrUnavailable) {
			t.Errorf("%s: Read: %v", name, err)
		}
		l.entry = entry("/w/x", "-rw-r--r--")
		file, err := sb.FS(t.Context(), ".").Open("x")
		must(t, err)
		if n, err := file.(io.ReaderAt).ReadAt(make([]byte, 8192), 0); err == nil || err == io.EOF {
			t.Errorf("%s: ReadAt: %d, %v", name, n, err)
		}
		if _, err := io.ReadAll(file); !errors.Is(err, quixand.ErrUnavailable) {
			t.Errorf("%s: ReadAll: %v", name, err)
		}
		must(t, file.Close())
	}
}

// TestDeafAgent cancels a command whose agent takes the signal and does
// nothing: the caller comes back all the same.
func TestDeafAgent(t *testing.T) {
	t.Parallel()
	l := &liar{}
	sb := l.sandbox(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := sb.Command("anything")
	must(t, cmd.Start(ctx))
	cancel()
	begin := time.Now()
	err := cmd.Wait()
	if took := time.Since(begin); err == nil || took > 10*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	<-l.signalled
}

// TestErrorsQuoteSafely lets the agent put line breaks and control sequences
// into what it says.
func TestErrorsQuoteSafely(t *testing.T) {
	sb := (&liar{http: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"message":"a\nb\u001b[2Jc%s"}`, strings.Repeat("x", 5000))
	}}).sandbox(t)
	_, err := sb.Files.Read(t.Context(), "dir/\x1b[31mname\n")
	if !errors.Is(err, quixand.ErrInvalid) || strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 2048 {
		t.Errorf("%q", err)
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		t.Errorf("%v", err)
	}
}
