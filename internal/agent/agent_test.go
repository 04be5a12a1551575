package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agent"
	"github.com/quixand/quixand/internal/agent/activity"
	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/envd/filesystem/filesystemconnect"
	pb "github.com/quixand/quixand/internal/envd/process"
	"github.com/quixand/quixand/internal/envd/process/processconnect"
)

// box is an agent on a unix socket, as a host sees it.
type box struct {
	*agent.Agent
	http    *http.Client
	process processconnect.ProcessClient
	files   filesystemconnect.FilesystemClient
	home    string
}

const base = "http://agent"

func newBox(t testing.TB, cfg agent.Config) *box {
	t.Helper()
	b := &box{home: t.TempDir()}
	cfg.ID = "box1"
	cfg.Home = b.home
	var err error
	if b.Agent, err = agent.New(cfg); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "sock")
	l, err := agent.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, l) }()
	transport := &http.Transport{
		DisableCompression:  true,
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, agentapi.SocketName))
		},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		<-served
		b.Close()
	})
	b.http = &http.Client{Transport: transport}
	b.process = processconnect.NewProcessClient(b.http, base)
	b.files = filesystemconnect.NewFilesystemClient(b.http, base)
	return b
}

// result is what a process's stream said.
type result struct {
	pid            uint32
	stdout, stderr bytes.Buffer
	end            *pb.ProcessEvent_EndEvent
	err            error
}

type eventStream[T any] interface {
	Receive() bool
	Msg() *T
	Err() error
	Close() error
}

// collect reads a stream to its end.
func collect[T any](s eventStream[T], event func(*T) *pb.ProcessEvent) *result {
	r := &result{}
	for s.Receive() {
		switch e := event(s.Msg()).GetEvent().(type) {
		case *pb.ProcessEvent_Start:
			r.pid = e.Start.GetPid()
		case *pb.ProcessEvent_Data:
			r.stdout.Write(e.Data.GetStdout())
			r.stdout.Write(e.Data.GetPty())
			r.stderr.Write(e.Data.GetStderr())
		case *pb.ProcessEvent_End:
			r.end = e.End
		}
	}
	r.err = errors.Join(s.Err(), s.Close())
	return r
}

func command(args ...string) *pb.StartRequest {
	return &pb.StartRequest{Process: &pb.ProcessConfig{Cmd: args[0], Args: args[1:]}, Stdin: new(bool)}
}

func (b *box) run(t testing.TB, req *pb.StartRequest) *result {
	t.Helper()
	s, err := b.process.Start(t.Context(), connect.NewRequest(req))
	if err != nil {
		t.Fatal(err)
	}
	return collect(s, (*pb.StartResponse).GetEvent)
}

func (b *box) sh(t testing.TB, script string) *result {
	t.Helper()
	return b.run(t, command("/bin/sh", "-c", script))
}

func (b *box) get(t testing.TB, path string) (int, string) {
	t.Helper()
	res, err := b.http.Get(base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func (b *box) post(t testing.TB, path, contentType, body string) (int, string) {
	t.Helper()
	res, err := b.http.Post(base+path, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

func TestRun(t *testing.T) {
	b := newBox(t, agent.Config{})
	r := b.sh(t, "echo out; echo err >&2; exit 3")
	if r.err != nil {
		t.Fatal(r.err)
	}
	if r.stdout.String() != "out\n" || r.stderr.String() != "err\n" {
		t.Errorf("stdout %q, stderr %q", &r.stdout, &r.stderr)
	}
	if r.pid == 0 || r.end.GetExitCode() != 3 || !r.end.GetExited() || r.end.GetStatus() != "exit status 3" || r.end.GetError() != "exit status 3" {
		t.Errorf("pid %d, end %v", r.pid, r.end)
	}
}

func TestFileRoundTrip(t *testing.T) {
	b := newBox(t, agent.Config{})
	status, answer := b.post(t, "/files?path=sub/hello.txt", "application/octet-stream", "hello")
	want := `[{"path":"` + b.home + `/sub/hello.txt","name":"hello.txt","type":"file"}]` + "\n"
	if status != http.StatusOK || answer != want {
		t.Errorf("%d %s", status, answer)
	}
	if status, body := b.get(t, "/files?path=sub/hello.txt"); status != http.StatusOK || body != "hello" {
		t.Errorf("%d %q", status, body)
	}
	if status, _ := b.get(t, "/files?path=nothing"); status != http.StatusNotFound {
		t.Errorf("missing file: %d", status)
	}
}

func TestStatus(t *testing.T) {
	b := newBox(t, agent.Config{Version: "v1", IdleTimeout: time.Minute})
	code, body := b.get(t, agentapi.PathStatus)
	var s agentapi.Status
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != http.StatusOK {
		t.Fatal(code, body, err)
	}
	if s.ID != "box1" || s.Version != "v1" || s.Home != b.home || s.Workdir != b.home || time.Duration(s.IdleTimeout) != time.Minute {
		t.Errorf("%+v", s)
	}
	if _, body := b.post(t, agentapi.PathTimeout, "application/json", `{"idleTimeoutMs":5000}`); !strings.Contains(body, `"idleTimeoutMs":5000`) {
		t.Error(body)
	}
}

func TestIdleTimeoutEndsServe(t *testing.T) {
	a, err := agent.New(agent.Config{IdleTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	dir := t.TempDir()
	l, err := agent.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Serve(t.Context(), l); !errors.Is(err, activity.ErrIdle) || !agent.IsDeadline(err) {
		t.Errorf("err = %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, agentapi.SocketName)); !os.IsNotExist(err) {
		t.Error("the socket was left behind")
	}
}
