package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agent"
	"github.com/quixand/quixand/internal/agent/access"
	"github.com/quixand/quixand/internal/agent/activity"
	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/envd"
	fspb "github.com/quixand/quixand/internal/envd/filesystem"
	pb "github.com/quixand/quixand/internal/envd/process"
)

// reply is a response whose body was read.
type reply struct {
	StatusCode int
	Header     http.Header
}

// do sends a request of alternating header names and values.
func (b *box) do(t testing.TB, method, path, body string, headers ...string) (reply, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header}, string(answer)
}

func TestHealth(t *testing.T) {
	b := newBox(t, agent.Config{})
	res, body := b.do(t, "GET", "/health", "")
	if res.StatusCode != http.StatusNoContent || body != "" {
		t.Error(res, body)
	}
}

func TestMetrics(t *testing.T) {
	b := newBox(t, agent.Config{})
	_, body := b.get(t, "/metrics")
	var m map[string]float64
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ts", "cpu_count", "cpu_used_pct", "mem_total", "mem_used", "mem_cache", "mem_total_mib", "mem_used_mib", "disk_used", "disk_total"} {
		if _, ok := m[name]; !ok {
			t.Errorf("no %s in %s", name, body)
		}
	}
}

func TestInit(t *testing.T) {
	b := newBox(t, agent.Config{})
	res, body := b.do(t, "POST", "/init", `{"envVars":{"A":"1"},"accessToken":"secret","timestamp":"2030-01-01T00:00:00Z"}`)
	if res.StatusCode != http.StatusNoContent || body != "" || res.Header.Get("X-Envd-Version") != envd.Version {
		t.Fatal(res, body)
	}
	if res, body := b.do(t, "GET", "/envs", ""); res.StatusCode != http.StatusUnauthorized || !strings.Contains(body, `"code":401`) {
		t.Error(res, body)
	}
	envs := func(token string) string {
		_, body := b.do(t, "GET", "/envs", "", access.Header, token)
		return body
	}
	if got := envs("secret"); !strings.Contains(got, `"A":"1"`) {
		t.Error(got)
	}
	if res, _ := b.do(t, "POST", "/init", `{"envVars":{"A":"2"}}`); res.StatusCode != http.StatusUnauthorized {
		t.Error("init without the token:", res)
	}
	b.do(t, "POST", "/init", `{"envVars":{"A":"old"},"accessToken":"secret","timestamp":"2029-01-01T00:00:00Z"}`)
	if got := envs("secret"); !strings.Contains(got, `"A":"1"`) {
		t.Error("an older request was applied:", got)
	}
	b.do(t, "POST", "/init", `{"accessToken":"secret","timestamp":"2031-01-01T00:00:00Z"}`)
	if got := envs("secret"); strings.Contains(got, `"A"`) {
		t.Error("the environment was not replaced:", got)
	}
	for _, bad := range []string{`{"envVars":{"A=B":"1"},"accessToken":"secret"}`, `{"defaultUser":"no-such-user","accessToken":"secret"}`, `no json`, `{"defaultWorkdir":"~root","accessToken":"secret"}`} {
		if res, body := b.do(t, "POST", "/init", bad); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, res.StatusCode, body)
		}
	}
	if res, _ := b.do(t, "POST", "/init", ``); res.StatusCode != http.StatusUnauthorized {
		t.Error("empty init without the token:", res)
	}
}

func TestInitSetsDefaults(t *testing.T) {
	b := newBox(t, agent.Config{})
	if err := os.Mkdir(filepath.Join(b.home, "work"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.do(t, "POST", "/init", `{"defaultWorkdir":"~/work"}`)
	if r := b.run(t, command("/bin/pwd")); r.stdout.String() != b.home+"/work\n" {
		t.Error(r.stdout.String(), r.err)
	}
	b.do(t, "POST", "/init", `{"defaultWorkdir":"/no/such/dir"}`)
	wantCode(t, b.run(t, command("/bin/pwd")).err, connect.CodeInvalidArgument)
	if _, body := b.get(t, agentapi.PathStatus); !strings.Contains(body, `"workdir":"/no/such/dir"`) {
		t.Error(body)
	}
}

func TestTokenGuardsCalls(t *testing.T) {
	b := newBox(t, agent.Config{})
	b.do(t, "POST", "/init", `{"accessToken":"secret"}`)
	_, err := b.process.List(t.Context(), connect.NewRequest(&pb.ListRequest{}))
	wantCode(t, err, connect.CodeUnauthenticated)
	req := connect.NewRequest(&pb.ListRequest{})
	req.Header().Set(access.Header, "secret")
	if _, err := b.process.List(t.Context(), req); err != nil {
		t.Error(err)
	}
	if res, _ := b.do(t, "GET", "/health", ""); res.StatusCode != http.StatusNoContent {
		t.Error(res)
	}
	signature := access.Sign("f", "write", "", "secret", "")
	target := "/files?path=f&signature=" + strings.NewReplacer("+", "%2B", "/", "%2F").Replace(signature)
	if res, body := b.do(t, "POST", target, "x", "Content-Type", "application/octet-stream"); res.StatusCode != http.StatusOK {
		t.Error(res, body)
	}
	if res, _ := b.do(t, "GET", target, ""); res.StatusCode != http.StatusUnauthorized {
		t.Error(res)
	}
}

func TestCORS(t *testing.T) {
	b := newBox(t, agent.Config{})
	b.do(t, "POST", "/init", `{"accessToken":"secret"}`)
	res, _ := b.do(t, "OPTIONS", "/process.Process/Start", "", "Origin", "https://x", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-access-token")
	if h := res.Header; res.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(h.Get("Access-Control-Allow-Methods"), "PATCH") || h.Get("Access-Control-Allow-Headers") != "x-access-token" {
		t.Error(res)
	}
	if res, _ := b.do(t, "GET", "/health", "", "Origin", "https://x"); res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error(res)
	}
}

func TestUnknownEndpoint(t *testing.T) {
	b := newBox(t, agent.Config{})
	for _, path := range []string{"/", "/nothing", "/quixand/v2/status", "/files/other"} {
		if res, body := b.do(t, "GET", path, ""); res.StatusCode != http.StatusNotFound || !strings.Contains(body, `"code":404`) {
			t.Error(path, res, body)
		}
	}
}

func TestLargeMessagesAreRefused(t *testing.T) {
	b := newBox(t, agent.Config{})
	req := command("/bin/cat")
	req.Stdin = nil
	p := b.start(t.Context(), t, req)
	go p.rest()
	if err := b.send(t, p.pid, stdin(strings.Repeat("x", 4<<20))); err != nil {
		t.Error(err)
	}
	if err := b.send(t, p.pid, stdin(strings.Repeat("x", 5<<20))); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Error(err)
	}
	if r := b.run(t, command("/bin/true", strings.Repeat("x", 5<<20))); r.err == nil {
		t.Error("a start request of 5 MiB was accepted")
	}
	if res, _ := b.do(t, "POST", "/init", strings.Repeat(" ", 5<<20)); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(res)
	}
}

func TestTimeoutRequests(t *testing.T) {
	b := newBox(t, agent.Config{IdleTimeout: time.Hour})
	set := func(body string) agentapi.Status {
		t.Helper()
		res, answer := b.do(t, "POST", agentapi.PathTimeout, body)
		var s agentapi.Status
		if err := json.Unmarshal([]byte(answer), &s); err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res.StatusCode, answer, err)
		}
		return s
	}
	if s := set(`{"idleTimeoutMs":7200000}`); time.Duration(s.IdleTimeout) != 2*time.Hour || time.Until(s.Deadline) < 119*time.Minute {
		t.Errorf("%+v", s)
	}
	if s := set(``); time.Duration(s.IdleTimeout) != 2*time.Hour {
		t.Errorf("%+v", s)
	}
	if s := set(`{"idleTimeoutMs":-1}`); s.IdleTimeout >= 0 || !s.Deadline.IsZero() {
		t.Errorf("%+v", s)
	}
	if res, _ := b.do(t, "POST", agentapi.PathTimeout, `{"idleTimeoutMs":9223372036854775807}`); res.StatusCode != http.StatusBadRequest {
		t.Error(res)
	}
}

func TestAskingHowThingsAreIsNoActivity(t *testing.T) {
	b := newBox(t, agent.Config{IdleTimeout: 300 * time.Millisecond})
	client := *b.http
	for start := time.Now(); ; {
		for _, path := range []string{"/health", "/metrics", agentapi.PathStatus} {
			if res, err := client.Get(base + path); err == nil {
				res.Body.Close()
			}
		}
		select {
		case <-b.Done():
			if !errors.Is(b.Err(), activity.ErrIdle) {
				t.Error(b.Err())
			}
			return
		default:
		}
		if time.Since(start) > 10*time.Second {
			t.Fatal("being asked kept the sandbox alive")
		}
	}
}

func TestWorkKeepsASandboxAlive(t *testing.T) {
	b := newBox(t, agent.Config{IdleTimeout: time.Second})
	if r := b.run(t, command("/bin/sleep", "1.5")); r.end.GetExitCode() != 0 || r.err != nil {
		t.Error(r.end, r.err)
	}
	s, err := b.files.WatchDir(t.Context(), connect.NewRequest(&fspb.WatchDirRequest{Path: "."}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Receive()
	time.Sleep(1500 * time.Millisecond) // the time that must pass is what is tested
	if err := b.Err(); err != nil {
		t.Error(err)
	}
}

func TestLifetime(t *testing.T) {
	b := newBox(t, agent.Config{Lifetime: 100 * time.Millisecond})
	p := b.start(t.Context(), t, command("/bin/sleep", "1000"))
	<-b.Done()
	if !errors.Is(b.Err(), activity.ErrLifetime) {
		t.Error(b.Err())
	}
	if r := p.rest(); r.err == nil {
		t.Error("the stream ended as if all were well")
	}
}

func TestTunnel(t *testing.T) {
	b := newBox(t, agent.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
			c.Close()
		}
	}()
	c, err := b.http.Transport.(*http.Transport).DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET %s?port=%d HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\necho", agentapi.PathTunnel, l.Addr().(*net.TCPAddr).Port, agentapi.TunnelProtocol)
	_ = c.(*net.UnixConn).CloseWrite()
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res.Status)
	}
	if got, err := io.ReadAll(r); string(got) != "echo" {
		t.Error(string(got), err)
	}
}

func TestArchive(t *testing.T) {
	b := newBox(t, agent.Config{})
	b.post(t, "/files?path=d/f", "application/octet-stream", "data")
	res, stream := b.do(t, "GET", agentapi.PathArchive+"?path=d", "")
	if res.StatusCode != http.StatusOK {
		t.Fatal(res)
	}
	if res, body := b.do(t, "PUT", agentapi.PathArchive+"?path=e", stream); res.StatusCode != http.StatusOK {
		t.Fatal(res, body)
	}
	if _, body := b.get(t, "/files?path=e/d/f"); body != "data" {
		t.Error(body)
	}
}

func TestListenTwice(t *testing.T) {
	dir := t.TempDir()
	first, err := agent.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	second, err := agent.Listen(dir) // a socket that a crash left behind is no obstacle
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info, err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 || entries[0].Name() != agentapi.SocketName {
		t.Error(entries)
	}
}

func TestUnknownAccount(t *testing.T) {
	if a, err := agent.New(agent.Config{User: "no-such-user"}); err == nil {
		a.Close()
		t.Error("no error")
	}
}

func TestInitIsForProcessOne(t *testing.T) {
	if a, err := agent.New(agent.Config{Init: true}); err == nil {
		a.Close()
		t.Error("no error")
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	a, err := agent.New(agent.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	l, err := agent.Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Serve(ctx, l); err != nil {
		t.Error(err)
	}
}

func TestLogs(t *testing.T) {
	b := newBox(t, agent.Config{})
	run := b.run(t, command("sh", "-c", "echo out; echo err >&2; exit 3"))
	b.run(t, command("no-such-command"))
	_, body := b.get(t, agentapi.PathLogs)
	var got []string
	for line := range strings.Lines(body) {
		var r agentapi.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Type != agentapi.RecordReady && r.PID != run.pid && r.PID != 0 {
			t.Errorf("pid %d, want %d", r.PID, run.pid)
		}
		got = append(got, fmt.Sprint(r.Type, " ", r.Command, r.Stream, " ", string(r.Data), r.Status))
	}
	for _, want := range []string{
		"ready  ", "start sh -c echo out; echo err >&2; exit 3 ", "output stdout out\n", "output stderr err\n",
		"exit  exit status 3", "start no-such-command ", "output stderr no-such-command: command not found\n", "exit  exit status 127",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if _, body := b.get(t, agentapi.PathLogs+"?output=0"); strings.Contains(body, `"output"`) || !strings.Contains(body, `"exit"`) {
		t.Error(body)
	}
	if _, body := b.get(t, agentapi.PathTail); !strings.Contains(body, "out\n") {
		t.Error(body)
	}
	if e := b.End(nil, 0); e.Reason != agentapi.EndStopped || !strings.Contains(e.Output, "err\n") {
		t.Errorf("%+v", e)
	}
}

// What commands write may be anything, and as much of it as there is room for.
func TestEndIsBounded(t *testing.T) {
	b := newBox(t, agent.Config{})
	b.run(t, command("sh", "-c", `head -c 100000 /dev/zero; printf '\377\001'`))
	dir := t.TempDir()
	if err := agent.WriteEnd(dir, b.End(errors.New(strings.Repeat("\x01", 1<<20)), 1)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, agentapi.EndName))
	var e agentapi.End
	if err != nil || len(text) > agentapi.MaxEnd || json.Unmarshal(text, &e) != nil {
		t.Fatal(len(text), err)
	}
	if e.Reason != agentapi.EndFailed || e.Output == "" || e.Detail == "" {
		t.Errorf("%+v", e)
	}
}

// The directory of the socket is lost, and another one has its name: the agent
// is reached there, and who was connected stays so.
func TestListenerRenew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sock")
	l, err := agent.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	dial := func() (net.Conn, net.Conn) {
		t.Helper()
		conn, err := net.Dial("unix", filepath.Join(dir, agentapi.SocketName))
		if err != nil {
			t.Fatal(err)
		}
		return conn, <-accepted
	}
	first, served := dial()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Renew(); err != nil {
		t.Fatal(err)
	}
	second, also := dial()
	for _, pair := range [][2]net.Conn{{first, served}, {second, also}} {
		pair[0].Write([]byte("x"))
		if n, err := pair[1].Read(make([]byte, 1)); n != 1 {
			t.Error(err)
		}
		pair[0].Close()
		pair[1].Close()
	}
	l.Close()
	if _, more := <-accepted; more {
		t.Error("accepts after its end")
	}
	if err := l.Renew(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("renew after close: %v", err)
	}
}

func TestExpireEndsAnIdleSandboxAlone(t *testing.T) {
	b := newBox(t, agent.Config{IdleTimeout: time.Minute, Enforcers: []string{"host"}})
	expire := func() agentapi.Status {
		t.Helper()
		_, body := b.do(t, "POST", agentapi.PathExpire, "")
		return statusOf(t, body)
	}
	if s := expire(); s.Expired || s.IdleFor > agentapi.Duration(time.Minute) {
		t.Errorf("after no time: %+v", s)
	}
	b.do(t, "POST", agentapi.PathTimeout, `{"idleTimeoutMs": 1}`)
	time.Sleep(5 * time.Millisecond) // the timeout; nobody else enforces it
	if s := expire(); !s.Expired {
		t.Errorf("after its timeout: %+v", s)
	}
	<-b.Done()
	if err := b.Agent.Err(); !errors.Is(err, activity.ErrIdle) {
		t.Errorf("Err = %v", err)
	}
}

// TestExpireAnswersBeforeTheEnd closes the connection as Serve may do: as soon
// as the time is up, although the handler has not returned.
func TestExpireAnswersBeforeTheEnd(t *testing.T) {
	b := newBox(t, agent.Config{IdleTimeout: time.Nanosecond, Enforcers: []string{"host"}})
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.Handler().ServeHTTP(w, r)
		<-b.Done()
		srv.Config.Close()
	}))
	defer srv.Close()
	res, err := http.Post(srv.URL+agentapi.PathExpire, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if s := statusOf(t, string(body)); !s.Expired {
		t.Errorf("not expired: %+v", s)
	}
}

func statusOf(t testing.TB, body string) (s agentapi.Status) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeepIsActivity(t *testing.T) {
	b := newBox(t, agent.Config{IdleTimeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", base+agentapi.PathKeep, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var s agentapi.Status
	_, body := b.get(t, agentapi.PathStatus)
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	if s.InFlight != 1 {
		t.Errorf("in flight while somebody keeps it: %d", s.InFlight)
	}
}
