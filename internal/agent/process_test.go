package agent_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent"
	"github.com/quixand/quixand/internal/agentapi"
	pb "github.com/quixand/quixand/internal/envd/process"
)

func byPID(pid uint32) *pb.ProcessSelector {
	return &pb.ProcessSelector{Selector: &pb.ProcessSelector_Pid{Pid: pid}}
}

func byTag(tag string) *pb.ProcessSelector {
	return &pb.ProcessSelector{Selector: &pb.ProcessSelector_Tag{Tag: tag}}
}

// live is a process with an open stream.
type live struct {
	*connect.ServerStreamForClient[pb.StartResponse]
	pid uint32
}

// start starts a process and waits for its start event.
func (b *box) start(ctx context.Context, t testing.TB, req *pb.StartRequest, headers ...string) *live {
	t.Helper()
	r := connect.NewRequest(req)
	for i := 0; i < len(headers); i += 2 {
		r.Header().Set(headers[i], headers[i+1])
	}
	s, err := b.process.Start(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if !s.Receive() {
		t.Fatal("no start event:", s.Err())
	}
	return &live{s, s.Msg().GetEvent().GetStart().GetPid()}
}

// expect reads output until it contains text.
func (l *live) expect(t testing.TB, text string) {
	t.Helper()
	var got bytes.Buffer
	for !strings.Contains(got.String(), text) {
		if !l.Receive() {
			t.Fatalf("no %q in %q: %v", text, &got, l.Err())
		}
		data := l.Msg().GetEvent().GetData()
		got.Write(data.GetStdout())
		got.Write(data.GetPty())
	}
}

func (l *live) rest() *result { return collect(l.ServerStreamForClient, (*pb.StartResponse).GetEvent) }

func (b *box) signal(t testing.TB, sel *pb.ProcessSelector, sig unix.Signal) error {
	t.Helper()
	_, err := b.process.SendSignal(t.Context(), connect.NewRequest(&pb.SendSignalRequest{Process: sel, Signal: pb.Signal(sig)}))
	return err
}

func (b *box) connect(t testing.TB, sel *pb.ProcessSelector, offset string) (*result, http.Header) {
	t.Helper()
	req := connect.NewRequest(&pb.ConnectRequest{Process: sel})
	if offset != "" {
		req.Header().Set(agentapi.HeaderOffset, offset)
	}
	s, err := b.process.Connect(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return collect(s, (*pb.ConnectResponse).GetEvent), s.ResponseHeader()
}

func (b *box) send(t testing.TB, pid uint32, in *pb.ProcessInput) error {
	t.Helper()
	_, err := b.process.SendInput(t.Context(), connect.NewRequest(&pb.SendInputRequest{Process: byPID(pid), Input: in}))
	return err
}

func stdin(text string) *pb.ProcessInput {
	return &pb.ProcessInput{Input: &pb.ProcessInput_Stdin{Stdin: []byte(text)}}
}

func ptyInput(text string) *pb.ProcessInput {
	return &pb.ProcessInput{Input: &pb.ProcessInput_Pty{Pty: []byte(text)}}
}

func wantCode(t testing.TB, err error, want connect.Code) {
	t.Helper()
	if err == nil || connect.CodeOf(err) != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// gone waits until no process of a number is left.
func gone(t testing.TB, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(polled, 10_000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			t.Errorf("process %d still runs", pid)
		}
		return
	}
}

func TestSignalsEndProcesses(t *testing.T) {
	b := newBox(t, agent.Config{})
	for sig, status := range map[unix.Signal]string{
		unix.SIGKILL: "signal: killed", unix.SIGTERM: "signal: terminated", unix.SIGHUP: "signal: hangup", unix.SIGINT: "signal: interrupt",
	} {
		p := b.start(t.Context(), t, command("/bin/sleep", "1000"))
		if err := b.signal(t, byPID(p.pid), sig); err != nil {
			t.Fatal(err)
		}
		end := p.rest().end
		if end.GetExitCode() != -1 || end.GetExited() || end.GetStatus() != status || end.GetError() != status {
			t.Errorf("%v: %v", sig, end)
		}
	}
}

func TestSignalsReachTheGroup(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sh", "-c", "sleep 1000 & echo $!; wait"))
	if !p.Receive() {
		t.Fatal(p.Err())
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(p.Msg().GetEvent().GetData().GetStdout())))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.signal(t, byPID(p.pid), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.rest()
	gone(t, child)
}

func TestImpossibleSignals(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sleep", "1000"))
	for _, sig := range []unix.Signal{0, -1, 65, 1 << 20} {
		wantCode(t, b.signal(t, byPID(p.pid), sig), connect.CodeInvalidArgument)
	}
	wantCode(t, b.signal(t, byPID(0), unix.SIGKILL), connect.CodeNotFound)
	wantCode(t, b.signal(t, byPID(1<<30), unix.SIGKILL), connect.CodeNotFound)
	wantCode(t, b.signal(t, byTag("nobody"), unix.SIGKILL), connect.CodeNotFound)
	if err := b.signal(t, byPID(p.pid), 64); err != nil { // SIGRTMAX
		t.Error(err)
	}
}

func TestCommandsThatCannotRun(t *testing.T) {
	b := newBox(t, agent.Config{})
	path := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(b.home, name)
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		cmd  string
		code int32
		text string
	}{
		{"no-such-command", 127, "no-such-command: command not found\n"},
		{"/no/such/file", 127, "/no/such/file: no such file or interpreter\n"},
		{path("plain", "x", 0o644), 126, ": permission denied\n"},
		{path("noformat", "x", 0o755), 126, ": exec format error\n"},
		{path("nointerp", "#!/no/such/interpreter\n", 0o755), 127, ": no such file or interpreter\n"},
		{b.home, 126, ": permission denied\n"},
	} {
		r := b.run(t, command(c.cmd))
		if r.err != nil || r.end.GetExitCode() != c.code || !strings.HasSuffix(r.stderr.String(), c.text) {
			t.Errorf("%s: %v, %v, %q", c.cmd, r.err, r.end, &r.stderr)
		}
	}
}

func TestPathIsTheCommands(t *testing.T) {
	b := newBox(t, agent.Config{})
	bin := filepath.Join(b.home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "mine"), []byte("#!/bin/sh\necho ran $0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/nothing:" + bin, "bin", "/nothing::bin"} {
		req := command("mine")
		req.Process.Envs = map[string]string{"PATH": path}
		if r := b.run(t, req); r.stdout.String() != "ran "+filepath.Join(bin, "mine")+"\n" {
			t.Errorf("PATH=%s: %q %q", path, &r.stdout, &r.stderr)
		}
	}
}

func TestWorkingDirectory(t *testing.T) {
	b := newBox(t, agent.Config{})
	if err := os.Mkdir(filepath.Join(b.home, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for cwd, want := range map[string]string{
		"": b.home, ".": b.home, "sub": b.home + "/sub", "~": b.home, "~/sub": b.home + "/sub", "/": "/",
	} {
		req := command("/bin/pwd")
		if cwd != "" {
			req.Process.Cwd = &cwd
		}
		if r := b.run(t, req); r.stdout.String() != want+"\n" {
			t.Errorf("cwd %q: %q, %v", cwd, &r.stdout, r.err)
		}
	}
	for _, cwd := range []string{"/no/such/dir", "/etc/passwd", "~other", "a\x00b"} {
		req := command("/bin/pwd")
		req.Process.Cwd = &cwd
		wantCode(t, b.run(t, req).err, connect.CodeInvalidArgument)
	}
}

func TestImpossibleRequests(t *testing.T) {
	b := newBox(t, agent.Config{})
	bad := command("/bin/true")
	bad.Process.Envs = map[string]string{"A=B": "c"}
	for _, req := range []*pb.StartRequest{{}, command(""), command("/bin/true", "a\x00b"), bad, command("/bin/true", strings.Repeat("x", 200<<10))} {
		r := b.run(t, req)
		if connect.CodeOf(r.err) != connect.CodeInvalidArgument && r.end.GetExitCode() != 126 {
			t.Errorf("%v, %v", r.err, r.end)
		}
	}
	req := connect.NewRequest(command("/bin/true"))
	setUser(req.Header(), "no-such-user")
	s, err := b.process.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, collect(s, (*pb.StartResponse).GetEvent).err, connect.CodeUnauthenticated)
}

func setUser(h http.Header, name string) {
	r := http.Request{Header: h}
	r.SetBasicAuth(name, "")
}

func TestEnvironment(t *testing.T) {
	b := newBox(t, agent.Config{Env: []string{"FROM=image", "LANG=C.UTF-8", "HOSTNAME=x"}})
	b.post(t, "/init", "application/json", `{"envVars":{"GLOBAL":"1","E2B_SANDBOX":"false"}}`)
	req := command("/usr/bin/env")
	req.Process.Envs = map[string]string{"REQUEST": "2"}
	out := "\n" + b.run(t, req).stdout.String()
	for _, want := range []string{"FROM=image", "LANG=C.UTF-8", "GLOBAL=1", "REQUEST=2", "E2B_SANDBOX=true", "E2B_SANDBOX_ID=box1", "HOME=" + b.home} {
		if !strings.Contains(out, "\n"+want+"\n") {
			t.Errorf("no %s in %s", want, out)
		}
	}
	if strings.Contains(out, "\nHOSTNAME=") || strings.Contains(out, "\nTERM=") {
		t.Error(out)
	}
	if _, body := b.get(t, "/envs"); body != `{"E2B_SANDBOX":"true","E2B_SANDBOX_ID":"box1","GLOBAL":"1"}`+"\n" {
		t.Error(body)
	}
}

func TestStdin(t *testing.T) {
	b := newBox(t, agent.Config{})
	req := command("/bin/cat")
	req.Stdin = nil // means true
	p := b.start(t.Context(), t, req)
	for _, text := range []string{"", "hello ", "world\n"} {
		if err := b.send(t, p.pid, stdin(text)); err != nil {
			t.Fatal(err)
		}
	}
	p.expect(t, "hello world\n")
	for range 2 {
		if _, err := b.process.CloseStdin(t.Context(), connect.NewRequest(&pb.CloseStdinRequest{Process: byPID(p.pid)})); err != nil && connect.CodeOf(err) != connect.CodeNotFound {
			t.Fatal(err)
		}
	}
	if r := p.rest(); r.end.GetExitCode() != 0 || r.err != nil {
		t.Error(r.end, r.err)
	}
}

func TestStdinOfTheWrongKind(t *testing.T) {
	b := newBox(t, agent.Config{})
	none := b.start(t.Context(), t, command("/bin/sleep", "1000"))
	wantCode(t, b.send(t, none.pid, stdin("x")), connect.CodeInternal)
	wantCode(t, b.send(t, none.pid, ptyInput("x")), connect.CodeInternal)
	wantCode(t, b.send(t, none.pid, nil), connect.CodeInvalidArgument)
	wantCode(t, b.send(t, 1<<30, stdin("x")), connect.CodeNotFound)
	if out := b.sh(t, "readlink /proc/self/fd/0"); out.stdout.String() != "/dev/null\n" {
		t.Error(out.stdout.String())
	}
}

func TestStdinClosedByTheProcess(t *testing.T) {
	b := newBox(t, agent.Config{})
	req := command("/bin/sh", "-c", "exec 0</dev/null; echo closed; sleep 1000")
	req.Stdin = nil
	p := b.start(t.Context(), t, req)
	p.expect(t, "closed")
	wantCode(t, b.send(t, p.pid, stdin("x")), connect.CodeFailedPrecondition)
}

func TestInputThatIsNotReadCanBeCancelled(t *testing.T) {
	b := newBox(t, agent.Config{})
	req := command("/bin/sleep", "1000")
	req.Stdin = nil
	p := b.start(t.Context(), t, req)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	in := connect.NewRequest(&pb.SendInputRequest{Process: byPID(p.pid), Input: stdin(strings.Repeat("x", 1<<20))})
	_, err := b.process.SendInput(ctx, in)
	wantCode(t, err, connect.CodeDeadlineExceeded)
	// The next one waits too, until the process is gone.
	failed := make(chan error)
	go func() { failed <- b.send(t, p.pid, stdin(strings.Repeat("x", 1<<20))) }()
	if err := b.signal(t, byPID(p.pid), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("input was accepted")
	}
}

func TestStreamInput(t *testing.T) {
	b := newBox(t, agent.Config{})
	req := command("/usr/bin/cksum")
	req.Stdin = nil
	p := b.start(t.Context(), t, req)
	in := b.process.StreamInput(t.Context())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(in.Send(&pb.StreamInputRequest{Event: &pb.StreamInputRequest_Start{Start: &pb.StreamInputRequest_StartEvent{Process: byPID(p.pid)}}}))
	must(in.Send(&pb.StreamInputRequest{Event: &pb.StreamInputRequest_Keepalive{}}))
	for range 100 {
		must(in.Send(&pb.StreamInputRequest{Event: &pb.StreamInputRequest_Data{Data: &pb.StreamInputRequest_DataEvent{Input: stdin(strings.Repeat("y", 100_000))}}}))
	}
	_, err := in.CloseAndReceive()
	must(err)
	_, err = b.process.CloseStdin(t.Context(), connect.NewRequest(&pb.CloseStdinRequest{Process: byPID(p.pid)}))
	must(err)
	if r := p.rest(); !strings.Contains(r.stdout.String(), " 10000000\n") {
		t.Error(r.stdout.String())
	}

	early := b.process.StreamInput(t.Context())
	must(early.Send(&pb.StreamInputRequest{Event: &pb.StreamInputRequest_Data{Data: &pb.StreamInputRequest_DataEvent{Input: stdin("x")}}}))
	_, err = early.CloseAndReceive()
	wantCode(t, err, connect.CodeInvalidArgument)
}

func TestList(t *testing.T) {
	b := newBox(t, agent.Config{})
	tag := "my tag"
	req := command("/bin/sleep", "1000")
	req.Tag, req.Process.Envs, req.Process.Cwd = &tag, map[string]string{"A": "b"}, &[]string{"/"}[0]
	p := b.start(t.Context(), t, req)
	list := func() []*pb.ProcessInfo {
		res, err := b.process.List(t.Context(), connect.NewRequest(&pb.ListRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		return res.Msg.GetProcesses()
	}
	got := list()
	if len(got) != 1 || got[0].GetPid() != p.pid || got[0].GetTag() != tag || got[0].GetConfig().String() != req.GetProcess().String() {
		t.Errorf("%v", got)
	}
	if err := b.signal(t, byTag(tag), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.rest()
	if got := list(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestTimeout(t *testing.T) {
	b := newBox(t, agent.Config{})
	started := time.Now()
	p := b.start(t.Context(), t, command("/bin/sh", "-c", "sleep 1000 & echo $!; wait"), "Connect-Timeout-Ms", "200")
	r := p.rest()
	wantCode(t, r.err, connect.CodeDeadlineExceeded)
	if r.end != nil {
		t.Error("there was an end event")
	}
	if passed := time.Since(started); passed < 200*time.Millisecond || passed > 3*time.Second {
		t.Errorf("ended after %v", passed)
	}
	child, _ := strconv.Atoi(strings.TrimSpace(r.stdout.String()))
	gone(t, int(p.pid))
	gone(t, child)
}

func TestTimeoutDeliversWhatWasWritten(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sh", "-c", "trap 'head -c 30000 /dev/zero' TERM; head -c 300000 /dev/zero; sleep 1000"), "Connect-Timeout-Ms", "300")
	r := p.rest()
	wantCode(t, r.err, connect.CodeDeadlineExceeded)
	if r.stdout.Len() != 300000 {
		t.Errorf("%d bytes", r.stdout.Len())
	}
}

func TestTimeoutHoldsWithoutItsStream(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sleep", "1000"), "Connect-Timeout-Ms", "300")
	p.Close()
	r, _ := b.connect(t, byPID(p.pid), "")
	if r.end.GetStatus() != "signal: killed" {
		t.Error(r.end, r.err)
	}
}

func TestProcessesSurviveTheirCaller(t *testing.T) {
	b := newBox(t, agent.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	p := b.start(ctx, t, command("/bin/sh", "-c", "read x < "+fifo(t, b.home)+"; echo $x"))
	cancel()
	p.rest()
	if err := os.WriteFile(filepath.Join(b.home, "fifo"), []byte("alive\n"), 0); err != nil {
		t.Fatal(err)
	}
	if r, _ := b.connect(t, byPID(p.pid), "0"); r.stdout.String() != "alive\n" {
		t.Error(r.stdout.String(), r.err)
	}
}

func fifo(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKillOnDisconnect(t *testing.T) {
	b := newBox(t, agent.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	p := b.start(ctx, t, command("/bin/sleep", "1000"), agentapi.HeaderOnDisconnect, agentapi.OnDisconnectKill)
	cancel()
	gone(t, int(p.pid))
}

// TestLingering leaves a process twice, and comes back once.
func TestLingering(t *testing.T) {
	t.Parallel()
	b := newBox(t, agent.Config{})
	ctx, leave := context.WithCancel(t.Context())
	p := b.start(ctx, t, command("/bin/sleep", "1000"), agentapi.HeaderOnDisconnect, agentapi.OnDisconnectLinger)
	leave()
	again := connect.NewRequest(&pb.ConnectRequest{Process: &pb.ProcessSelector{Selector: &pb.ProcessSelector_Pid{Pid: p.pid}}})
	again.Header().Set(agentapi.HeaderOffset, "0")
	again.Header().Set(agentapi.HeaderOnDisconnect, agentapi.OnDisconnectLinger)
	ctx, leave = context.WithCancel(t.Context())
	stream, err := b.process.Connect(ctx, again)
	if err != nil || !stream.Receive() {
		t.Fatal(err, stream.Err())
	}
	time.Sleep(agentapi.LingerFor + time.Second) // longer than it may be without anybody
	if err := unix.Kill(int(p.pid), 0); err != nil {
		t.Fatalf("the process was not left alone: %v", err)
	}
	left := time.Now()
	leave()
	gone(t, int(p.pid))
	if took := time.Since(left); took < agentapi.LingerFor-time.Second {
		t.Errorf("killed after %v", took)
	}
}

// TestChunkedRequests speaks as E2B's JavaScript client does: JSON, and a body
// in chunks whose end comes late.
func TestChunkedRequests(t *testing.T) {
	b := newBox(t, agent.Config{})
	conn, err := b.http.Transport.(*http.Transport).DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	msg := `{"process":{"cmd":"/bin/sh","args":["-c","echo $$; sleep 1000"]},"stdin":false}`
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(msg))), msg...)
	fmt.Fprintf(conn, "POST /process.Process/Start HTTP/1.1\r\nHost: a\r\nContent-Type: application/connect+json\r\nConnect-Protocol-Version: 1\r\n%s: kill\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", agentapi.HeaderOnDisconnect, len(frame), frame)
	buf := make([]byte, 64<<10)
	var got bytes.Buffer
	for !strings.Contains(got.String(), `"stdout"`) {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err, got.String())
		}
		got.Write(buf[:n])
	}
	for _, want := range []string{"HTTP/1.1 200 OK", "application/connect+json", `{"event":{"start":{"pid":`} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("no %q in %q", want, got.String())
		}
	}
	res, err := b.process.List(t.Context(), connect.NewRequest(&pb.ListRequest{}))
	if err != nil || len(res.Msg.GetProcesses()) != 1 {
		t.Fatal(res, err)
	}
	conn.Close()
	gone(t, int(res.Msg.GetProcesses()[0].GetPid()))
}

func TestStreamsAreNotCompressedUnasked(t *testing.T) {
	b := newBox(t, agent.Config{})
	msg := `{"process":{"cmd":"/usr/bin/head","args":["-c","100000","/dev/zero"]},"stdin":false}`
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(msg))), msg...)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/process.Process/Start", bytes.NewReader(frame))
	req.Header.Set("Content-Type", "application/connect+json")
	req.Header.Set("Accept-Encoding", "gzip, deflate")
	res, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var last []byte
	var flags byte
	for {
		var head [5]byte
		if _, err := io.ReadFull(res.Body, head[:]); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		flags = head[0]
		if flags&1 != 0 {
			t.Fatal("a frame is compressed")
		}
		last = make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(res.Body, last); err != nil {
			t.Fatal(err)
		}
	}
	if flags != 2 || string(last) != "{}" {
		t.Errorf("last frame: flags %d, %s", flags, last)
	}
}

func TestReplay(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sh", "-c", "echo one; echo two >&2; echo three"))
	whole := p.rest()
	for offset, want := range map[string]string{"0": "one\nthree\n|two\n", "6": "three\n|o\n", "14": "|", "": "|"} {
		r, h := b.connect(t, byPID(p.pid), offset)
		if got := r.stdout.String() + "|" + r.stderr.String(); len(got) != len(want) || r.end.GetStatus() != "exit status 0" {
			t.Errorf("from %q: %q, want %q, end %v %v", offset, got, want, r.end, r.err)
		}
		if offset == "0" && (h.Get(agentapi.HeaderOffset) != "0" || r.stdout.String() != whole.stdout.String()) {
			t.Errorf("from 0: %v, %q", h, &r.stdout)
		}
	}
	for _, offset := range []string{"-1", "15", "x"} {
		r, _ := b.connect(t, byPID(p.pid), offset)
		wantCode(t, r.err, connect.CodeInvalidArgument)
	}
}

// TestOnlyNewOutput attaches to processes that have only just written.
func TestOnlyNewOutput(t *testing.T) {
	b := newBox(t, agent.Config{})
	said, proceed := filepath.Join(b.home, "said"), filepath.Join(b.home, "proceed")
	for _, name := range []string{said, proceed} {
		if err := unix.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		p := b.start(t.Context(), t, command("/bin/sh", "-c", "echo old; echo > "+said+"; read x < "+proceed+"; echo new"))
		if _, err := os.ReadFile(said); err != nil {
			t.Fatal(err)
		}
		s, err := b.process.Connect(t.Context(), connect.NewRequest(&pb.ConnectRequest{Process: byPID(p.pid)}))
		if err != nil {
			t.Fatal(err)
		}
		if !s.Receive() { // the start event
			t.Fatal(s.Err())
		}
		if err := os.WriteFile(proceed, []byte("\n"), 0); err != nil {
			t.Fatal(err)
		}
		if r := collect(s, (*pb.ConnectResponse).GetEvent); r.stdout.String() != "new\n" {
			t.Errorf("%q %v", &r.stdout, r.err)
		}
		if r := p.rest(); r.stdout.String() != "old\nnew\n" {
			t.Errorf("%q %v", &r.stdout, r.err)
		}
	}
}

// TestReattachLosesNoByte breaks a stream again and again and goes on where it
// broke.
func TestReattachLosesNoByte(t *testing.T) {
	b := newBox(t, agent.Config{})
	const lines = 100_000
	p := b.start(t.Context(), t, command("/usr/bin/seq", strconv.Itoa(lines)))
	var got bytes.Buffer
	p.Receive()
	got.Write(p.Msg().GetEvent().GetData().GetStdout())
	p.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for ended := false; !ended; {
		req := connect.NewRequest(&pb.ConnectRequest{Process: byPID(p.pid)})
		req.Header().Set(agentapi.HeaderOffset, strconv.Itoa(got.Len()))
		s, err := b.process.Connect(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + rng.IntN(4) {
			if !s.Receive() {
				break
			}
			e := s.Msg().GetEvent()
			got.Write(e.GetData().GetStdout())
			ended = ended || e.GetEnd() != nil
		}
		if from := s.ResponseHeader().Get(agentapi.HeaderOffset); from == "" {
			t.Fatal("no offset in the answer:", s.Err())
		}
		s.Close()
	}
	var want bytes.Buffer
	for i := range lines {
		fmt.Fprintln(&want, i+1)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("got %d bytes, want %d, or they differ", got.Len(), want.Len())
	}
}

// TestUnattendedOutput lets a process write for nobody much more than is kept.
func TestUnattendedOutput(t *testing.T) {
	b := newBox(t, agent.Config{})
	const size = 256 << 20
	p := b.start(t.Context(), t, command("/usr/bin/head", "-c", strconv.Itoa(size), "/dev/zero"))
	p.Close()
	gone(t, int(p.pid))
	r, h := b.connect(t, byPID(p.pid), "0")
	from, _ := strconv.Atoi(h.Get(agentapi.HeaderOffset))
	if from == 0 || from+r.stdout.Len() != size || r.end.GetExitCode() != 0 {
		t.Errorf("replay from %d, %d bytes, %v", from, r.stdout.Len(), r.end)
	}
}

func TestAttendedOutputIsWhole(t *testing.T) {
	b := newBox(t, agent.Config{})
	if r := b.run(t, command("/usr/bin/head", "-c", "100000000", "/dev/zero")); r.stdout.Len() != 100000000 || r.err != nil {
		t.Error(r.stdout.Len(), r.err)
	}
}

func TestEventsAreBounded(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/usr/bin/head", "-c", "1000000", "/dev/zero"))
	for p.Receive() {
		if n := len(p.Msg().GetEvent().GetData().GetStdout()); n > 32<<10 {
			t.Fatalf("an event of %d bytes", n)
		}
	}
}

func TestSeveralReaders(t *testing.T) {
	b := newBox(t, agent.Config{})
	req := command("/bin/cat")
	req.Stdin = nil
	p := b.start(t.Context(), t, req)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			r, _ := b.connect(t, byPID(p.pid), "0")
			if r.stdout.Len() != 1<<20 || r.end == nil {
				t.Error(r.stdout.Len(), r.end, r.err)
			}
		})
	}
	wg.Go(func() {
		if r := p.rest(); r.stdout.Len() != 1<<20 {
			t.Error(r.stdout.Len(), r.err)
		}
	})
	if err := b.send(t, p.pid, stdin(strings.Repeat("x", 1<<20))); err != nil {
		t.Fatal(err)
	}
	if _, err := b.process.CloseStdin(t.Context(), connect.NewRequest(&pb.CloseStdinRequest{Process: byPID(p.pid)})); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

// TestDescendantsHoldTheOutput: the end of a process is the end of its output,
// unless the agent was told to end it.
func TestDescendantsHoldTheOutput(t *testing.T) {
	b := newBox(t, agent.Config{})
	if r := b.sh(t, "(sleep 0.3; echo late) & echo early"); r.stdout.String() != "early\nlate\n" || r.end.GetExitCode() != 0 {
		t.Error(r.stdout.String(), r.end)
	}
	if r := b.sh(t, "setsid sleep 1000 >/dev/null 2>&1 & echo free"); r.stdout.String() != "free\n" {
		t.Error(r.stdout.String(), r.end)
	}
	p := b.start(t.Context(), t, command("/bin/sh", "-c", "setsid sh -c 'echo $$; exec sleep 1000' & wait"))
	if !p.Receive() {
		t.Fatal(p.Err())
	}
	escaped, _ := strconv.Atoi(strings.TrimSpace(string(p.Msg().GetEvent().GetData().GetStdout())))
	t.Cleanup(func() { _ = unix.Kill(escaped, unix.SIGKILL) })
	if err := b.signal(t, byPID(p.pid), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r := p.rest(); r.end.GetStatus() != "signal: terminated" {
		t.Error(r.end, r.err)
	}
	if unix.Kill(escaped, 0) != nil {
		t.Error("the descendant is gone: the test shows nothing")
	}
}

// TestDescendantsThatNeverStopWriting must hold up nobody but themselves.
func TestDescendantsThatNeverStopWriting(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sh", "-c", "yes & exit 0"))
	p.Close()
	if r := b.sh(t, "echo other"); r.stdout.String() != "other\n" || r.end.GetExitCode() != 0 {
		t.Error(r.stdout.String(), r.end, r.err)
	}
	if err := b.signal(t, byPID(p.pid), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r, _ := b.connect(t, byPID(p.pid), ""); r.end.GetExitCode() != 0 || r.end == nil {
		t.Error(r.end, r.err)
	}
}

func TestKilledOutputIsNotLost(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sh", "-c", "trap 'head -c 50000 /dev/zero; exit 7' TERM; echo up; while :; do sleep 0.01; done"))
	p.expect(t, "up")
	if err := b.signal(t, byPID(p.pid), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r := p.rest(); r.stdout.Len() != 50000 || r.end.GetExitCode() != 7 {
		t.Error(r.stdout.Len(), r.end, r.err)
	}
}

func TestManyAtOnce(t *testing.T) {
	b := newBox(t, agent.Config{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if r := b.sh(t, fmt.Sprintf("echo %d; exit %d", i, i%100)); r.stdout.String() != fmt.Sprintln(i) || r.end.GetExitCode() != int32(i%100) {
				t.Error(i, r.stdout.String(), r.end, r.err)
			}
		})
	}
	wg.Wait()
}

func TestKeepalive(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sleep", "1000"), "Keepalive-Ping-Interval", "1")
	if !p.Receive() || p.Msg().GetEvent().GetKeepalive() == nil {
		t.Error(p.Msg(), p.Err())
	}
}

func TestCloseEndsEverything(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sh", "-c", "sleep 1000 & sleep 1000"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, int(p.pid))
	wantCode(t, b.run(t, command("/bin/true")).err, connect.CodeUnavailable)
}

func TestTerminal(t *testing.T) {
	b := newBox(t, agent.Config{})
	req := command("/bin/sh", "-c", "tty; stty size; echo TERM=$TERM; trap 'stty size; exit 5' WINCH; echo ready; while read x; do echo got:$x; done")
	req.Stdin, req.Pty = nil, &pb.PTY{Size: &pb.PTY_Size{Cols: 80, Rows: 24}}
	p := b.start(t.Context(), t, req)
	p.expect(t, "TERM=xterm-256color\r\nready\r\n")
	if err := b.send(t, p.pid, ptyInput("hello\n")); err != nil {
		t.Fatal(err)
	}
	p.expect(t, "got:hello\r\n")
	wantCode(t, b.send(t, p.pid, stdin("x")), connect.CodeInternal)
	_, err := b.process.CloseStdin(t.Context(), connect.NewRequest(&pb.CloseStdinRequest{Process: byPID(p.pid)}))
	wantCode(t, err, connect.CodeUnknown)
	resize := &pb.UpdateRequest{Process: byPID(p.pid), Pty: &pb.PTY{Size: &pb.PTY_Size{Cols: 100, Rows: 30}}}
	if _, err := b.process.Update(t.Context(), connect.NewRequest(resize)); err != nil {
		t.Fatal(err)
	}
	// Some shells run the trap at once, others when the line is read.
	if err := b.send(t, p.pid, ptyInput("\n")); err != nil && connect.CodeOf(err) != connect.CodeNotFound {
		t.Fatal(err)
	}
	if r := p.rest(); !strings.Contains(r.stdout.String(), "30 100\r\n") || r.end.GetExitCode() != 5 {
		t.Errorf("%q %v %v", &r.stdout, r.end, r.err)
	}
}

func TestTerminalHangsUp(t *testing.T) {
	b := newBox(t, agent.Config{})
	req := command("/bin/sh", "-c", "sleep 1000 & echo $!; sleep 0.1")
	req.Pty = &pb.PTY{Size: &pb.PTY_Size{Cols: 80, Rows: 24}}
	r := b.run(t, req)
	child, err := strconv.Atoi(strings.TrimSpace(r.stdout.String()))
	if err != nil || r.end.GetExitCode() != 0 {
		t.Fatal(r.stdout.String(), r.end, r.err)
	}
	gone(t, child)
}

// TestTerminalOutlivesItsDescriptors: a process may close its descriptors, as
// some do on their way out, and is not hung up on before it has ended.
func TestTerminalOutlivesItsDescriptors(t *testing.T) {
	b := newBox(t, agent.Config{})
	req := command("/bin/sh", "-c", "echo closing; exec 0<&- 1>&- 2>&-; sleep 0.1; exit 6")
	req.Pty = &pb.PTY{Size: &pb.PTY_Size{Cols: 80, Rows: 24}}
	if r := b.run(t, req); r.end.GetExitCode() != 6 || r.stdout.String() != "closing\r\n" {
		t.Errorf("%q %v %v", &r.stdout, r.end, r.err)
	}
}

func TestResizeWithoutTerminal(t *testing.T) {
	b := newBox(t, agent.Config{})
	p := b.start(t.Context(), t, command("/bin/sleep", "1000"))
	_, err := b.process.Update(t.Context(), connect.NewRequest(&pb.UpdateRequest{Process: byPID(p.pid), Pty: &pb.PTY{Size: &pb.PTY_Size{Cols: 1, Rows: 1}}}))
	wantCode(t, err, connect.CodeInvalidArgument)
}

func TestProcessesAreActivity(t *testing.T) {
	b := newBox(t, agent.Config{IdleTimeout: time.Hour})
	inFlight := func() (n, processes int) {
		_, body := b.get(t, agentapi.PathStatus)
		var s agentapi.Status
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		return s.InFlight, s.Processes
	}
	p := b.start(t.Context(), t, command("/bin/sleep", "1000"))
	if n, processes := inFlight(); n != 2 || processes != 1 { // the process and its stream
		t.Error(n, processes)
	}
	if err := b.signal(t, byPID(p.pid), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.rest()
	if n, processes := inFlight(); n > 1 || processes != 0 {
		t.Error(n, processes)
	}
}
