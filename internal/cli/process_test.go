package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// These tests run qs as a process of its own, for what a script cannot do:
// signals at the right moment, and terminals.

// patience bounds what never comes.
const patience = time.Minute

// stage is an engine with one sandbox and the environment to reach it.
type stage struct {
	t   *testing.T
	env []string
	id  string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "e")
	server, err := serveEngine(socket, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.close)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, env: append(os.Environ(),
		"QS_ADAPTER=fake", "QS_ROOT="+dir, "XDG_RUNTIME_DIR="+dir, engineSocket+"="+socket, "TERM=xterm")}
	name, value := noRaceSleep()
	s.env = append(s.env, name+"="+value)
	s.id = strings.TrimSpace(s.output("create"))
	return s
}

// qs is a command that is killed with the test.
func (s *stage) qs(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "qs", args...)
	cmd.Env = s.env
	return cmd
}

func (s *stage) output(args ...string) string {
	s.t.Helper()
	var stderr bytes.Buffer
	cmd := s.qs(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("qs %v: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

// start starts a command and returns a reader of its output.
func (s *stage) start(cmd *exec.Cmd) *bufio.Reader {
	s.t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return bufio.NewReader(out)
}

// line reads a line of output, which says that the command is that far.
func (s *stage) line(r *bufio.Reader, want string) {
	s.t.Helper()
	got, err := r.ReadString('\n')
	if strings.TrimSpace(got) != want {
		s.t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func (s *stage) wantCode(cmd *exec.Cmd, want int) {
	s.t.Helper()
	err := cmd.Wait()
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		s.t.Fatal(err)
	}
	if got != want {
		s.t.Fatalf("exit code %d, want %d (stderr %v)", got, want, cmd.Stderr)
	}
}

func (s *stage) wantNoProcess() {
	s.t.Helper()
	if out := s.output("top", "--json", s.id); out != "[]\n" {
		s.t.Errorf("processes are left: %s", out)
	}
}

func signalTo(t *testing.T, cmd *exec.Cmd, sig syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func TestExecPassesSignals(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		trap   string
	}{{syscall.SIGINT, "INT"}, {syscall.SIGTERM, "TERM"}, {syscall.SIGHUP, "HUP"}} {
		t.Run(c.trap, func(t *testing.T) {
			s := newStage(t)
			cmd := s.qs("exec", s.id, "sh", "-c",
				`trap "echo caught; exit 9" `+c.trap+`; echo ready; while :; do sleep 0.01; done`)
			out := s.start(cmd)
			s.line(out, "ready")
			signalTo(t, cmd, c.signal)
			s.line(out, "caught")
			s.wantCode(cmd, 9)
			s.wantNoProcess()
		})
	}
}

func TestExecsSecondInterruptKills(t *testing.T) {
	s := newStage(t)
	cmd := s.qs("exec", s.id, "sh", "-c",
		`trap "echo caught" INT; echo ready; while :; do sleep 0.01; done`)
	out := s.start(cmd)
	s.line(out, "ready")
	signalTo(t, cmd, syscall.SIGINT)
	s.line(out, "caught")
	signalTo(t, cmd, syscall.SIGINT)
	s.wantCode(cmd, 137)
	s.wantNoProcess()
}

func TestInterruptedVerbExits130(t *testing.T) {
	s := newStage(t)
	cmd := s.qs("exec", "-d", "--tag", "t", s.id, "--", "sh", "-c", "echo ready; sleep 60")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	cmd = s.qs("attach", s.id, "t")
	s.line(s.start(cmd), "ready")
	signalTo(t, cmd, syscall.SIGINT)
	s.wantCode(cmd, 130)
	if out := s.output("top", s.id); !strings.Contains(out, "sleep 60") {
		t.Errorf("the process is gone: %s", out)
	}
}

func TestInterruptedRunLeavesNoSandbox(t *testing.T) {
	s := newStage(t)
	cmd := s.qs("run", "--", "sh", "-c", "echo ready; exec sleep 60")
	out := s.start(cmd)
	s.line(out, "ready")
	signalTo(t, cmd, syscall.SIGTERM)
	s.wantCode(cmd, 143)
	if ids := strings.Fields(s.output("ps", "-q")); len(ids) != 1 || ids[0] != s.id {
		t.Errorf("sandboxes are left: %v", ids)
	}
}

func TestBrokenPipeEndsQuietly(t *testing.T) {
	s := newStage(t)
	for _, args := range [][]string{
		{"exec", s.id, "yes"},
		{"run", "yes"},
	} {
		var stderr bytes.Buffer
		cmd := s.qs(args...)
		cmd.Stderr = &stderr
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		s.line(bufio.NewReader(r), "y")
		r.Close()
		s.wantCode(cmd, exitBrokenPipe)
		if stderr.Len() > 0 {
			t.Errorf("%v: stderr %q", args, stderr.String())
		}
	}
	s.wantNoProcess()

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	for _, args := range [][]string{{"ps"}, {"ps", "--json"}, {"status", s.id}, {"version"}, {"--help"}} {
		var stderr bytes.Buffer
		cmd := s.qs(args...)
		cmd.Stdout, cmd.Stderr = w, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if args[0] != "--help" { // whose errors cobra keeps to itself
			s.wantCode(cmd, exitBrokenPipe)
		} else {
			_ = cmd.Wait()
		}
		if stderr.Len() > 0 {
			t.Errorf("%v: stderr %q", args, stderr.String())
		}
	}
}

// A command's end is the end of exec, although nobody closes its input.
func TestExecDoesNotWaitForInput(t *testing.T) {
	s := newStage(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	cmd := s.qs("exec", s.id, "echo", "done")
	cmd.Stdin = r
	s.line(s.start(cmd), "done")
	s.wantCode(cmd, 0)
}

// What a command writes cannot steer the terminal that it is shown on, and is
// left alone in a pipe.
func TestOutputIsHarmlessOnTerminals(t *testing.T) {
	s := newStage(t)
	script := `printf '\033[31mred\033]0;title\007\302\233 \342\200\256 caf\303\251\n'`
	raw := "\x1b[31mred\x1b]0;title\x07\u009b \u202e café\n"
	safe := "^[[31mred^[]0;title^G<U+009B> <U+202E> café\r\n"
	if got := s.output("exec", s.id, "sh", "-c", script); got != raw {
		t.Errorf("in a pipe: %q, want %q", got, raw)
	}
	s.output("exec", s.id, "sh", "-c", script+" >f")
	for _, args := range [][]string{
		{"exec", s.id, "sh", "-c", script},
		{"exec", s.id, "sh", "-c", script + " >&2"},
		{"run", "--quiet", "sh", "-c", script},
		{"files", "cat", s.id, "f"},
	} {
		cmd := s.qs(args...)
		tty := s.startOnTerminal(cmd)
		if got, err := tty.out.ReadString('\n'); got != safe {
			t.Errorf("qs %q on a terminal: %q, %v; want %q", args, got, err, safe)
		}
		s.wantCode(cmd, 0)
	}
}

// terminal is a terminal that a command runs on. The test holds both ends, so
// that it sees what the command leaves.
type terminal struct {
	keys *os.File // what is written here is typed
	tty  *os.File
	out  *bufio.Reader
}

func (s *stage) startOnTerminal(cmd *exec.Cmd) *terminal {
	s.t.Helper()
	keys, tty, err := pty.Open()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		tty.Close()
		keys.Close()
	})
	if err := pty.Setsize(keys, &pty.Winsize{Rows: 30, Cols: 100}); err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	// A pipe can be read with a deadline, which a terminal cannot.
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.Close() })
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer w.Close()
		_, _ = io.Copy(w, keys)
	}()
	return &terminal{keys, tty, bufio.NewReader(r)}
}

// state is how the terminal is set.
func (t *terminal) state(s *stage) term.State {
	s.t.Helper()
	state, err := term.GetState(int(t.tty.Fd()))
	if err != nil {
		s.t.Fatal(err)
	}
	return *state
}

// waitFor reads output up to a text.
func (s *stage) waitFor(out *bufio.Reader, want string) {
	s.t.Helper()
	var seen strings.Builder
	for !strings.Contains(seen.String(), want) {
		c, err := out.ReadByte()
		if err != nil {
			s.t.Fatalf("%v after %q, want %q", err, seen.String(), want)
		}
		seen.WriteByte(c)
	}
}

// What takes long is shown on a terminal and leaves no trace there.
func TestProgressIsShownAndTakenBack(t *testing.T) {
	s := newStage(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"pull: half^[[2Jway (0s)": {"create"},
		"file: [":                 {"cp", file, s.id + ":"},
		"there: ":                 {"files", "write", s.id, "there"},
	} {
		cmd := s.qs(args...)
		tty := s.startOnTerminal(cmd)
		if args[0] == "files" {
			fmt.Fprint(tty.keys, "typed\r\x04")
		}
		s.waitFor(tty.out, "\r"+want)
		s.waitFor(tty.out, "\r\x1b[K")
		s.wantCode(cmd, 0)
	}
	for _, args := range [][]string{{"create", "--quiet"}, {"cp", "-q", file, s.id + ":"}} {
		cmd := s.qs(args...)
		tty := s.startOnTerminal(cmd)
		s.wantCode(cmd, 0)
		tty.tty.Close()
		if shown, _ := io.ReadAll(tty.out); bytes.Contains(shown, []byte("\x1b")) {
			t.Errorf("qs %q showed %q", args, shown)
		}
	}
}

func TestRunOnTerminal(t *testing.T) {
	s := newStage(t)
	cmd := s.qs("run", "--quiet", "-it", "sh", "-c", "stty size; exit 6")
	tty := s.startOnTerminal(cmd)
	s.waitFor(tty.out, "30 100")
	s.wantCode(cmd, 6)
	if ids := strings.Fields(s.output("ps", "-q")); len(ids) != 1 {
		t.Errorf("sandboxes are left: %v", ids)
	}
}

func TestConnect(t *testing.T) {
	s := newStage(t)
	cmd := s.qs("connect", "-e", "PS1=READY ", s.id, "--", "sh")
	tty := s.startOnTerminal(cmd)
	s.waitFor(tty.out, "READY ")

	fmt.Fprint(tty.keys, "stty size; echo $TERM; test -t 0 && echo a $((40+2)) tty\r")
	s.waitFor(tty.out, "30 100")
	s.waitFor(tty.out, "xterm")
	s.waitFor(tty.out, "a 42 tty")

	// Ctrl-C belongs to the sandbox.
	fmt.Fprint(tty.keys, "sh -c 'echo be''gun; exec sleep 60'\r")
	s.waitFor(tty.out, "begun")
	fmt.Fprint(tty.keys, "\x03")
	s.waitFor(tty.out, "READY ")
	fmt.Fprint(tty.keys, "echo its $?\r")
	s.waitFor(tty.out, "its 130")

	// The size follows.
	if err := pty.Setsize(tty.keys, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(tty.keys, "until stty size | grep '40 12[0]'; do sleep 0.01; done\r")
	s.waitFor(tty.out, "40 120")

	fmt.Fprint(tty.keys, "exit 7\r")
	s.wantCode(cmd, 7)
	s.wantNoProcess()
}

// However a session ends, the terminal is given back as it was.
func TestConnectRestoresTheTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(cmd *exec.Cmd, tty *terminal)
		code int
	}{
		"exit":    {func(_ *exec.Cmd, tty *terminal) { fmt.Fprint(tty.keys, "exit\r") }, 0},
		"escape":  {func(_ *exec.Cmd, tty *terminal) { fmt.Fprint(tty.keys, "\r~.") }, exitSelf},
		"SIGINT":  {func(cmd *exec.Cmd, _ *terminal) { _ = cmd.Process.Signal(syscall.SIGINT) }, 130},
		"SIGTERM": {func(cmd *exec.Cmd, _ *terminal) { _ = cmd.Process.Signal(syscall.SIGTERM) }, 143},
		"SIGHUP":  {func(cmd *exec.Cmd, _ *terminal) { _ = cmd.Process.Signal(syscall.SIGHUP) }, 129},
		"SIGQUIT": {func(cmd *exec.Cmd, _ *terminal) { _ = cmd.Process.Signal(syscall.SIGQUIT) }, 131},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			cmd := s.qs("connect", "-e", "PS1=READY ", s.id, "--", "sh")
			tty := s.startOnTerminal(cmd)
			before := tty.state(s)
			s.waitFor(tty.out, "READY ")
			if tty.state(s) == before {
				t.Error("the terminal is not raw in the session")
			}
			c.end(cmd, tty)
			s.wantCode(cmd, c.code)
			if tty.state(s) != before {
				t.Error("the terminal is not as it was")
			}
		})
	}
}

// The sandbox's end is the session's.
func TestConnectEndsWithTheSandbox(t *testing.T) {
	s := newStage(t)
	cmd := s.qs("connect", "-e", "PS1=READY ", s.id, "--", "sh")
	tty := s.startOnTerminal(cmd)
	before := tty.state(s)
	s.waitFor(tty.out, "READY ")
	s.output("kill", s.id)
	if err := cmd.Wait(); err == nil {
		t.Error("connect was a success")
	}
	if tty.state(s) != before {
		t.Error("the terminal is not as it was")
	}
}

func TestExpose(t *testing.T) {
	s := newStage(t)
	served := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "inside")
	})}
	inside := listen(t)
	go served.Serve(inside)
	defer served.Close()

	cmd := s.qs("expose", s.id, portOf(inside))
	out := s.start(cmd)
	url, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get(strings.TrimSpace(url))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); string(body) != "inside" {
		t.Errorf("got %q, %v", body, err)
	}
	client.CloseIdleConnections()
	signalTo(t, cmd, syscall.SIGINT)
	s.wantCode(cmd, 130)

	// It ends with the sandbox.
	cmd = s.qs("expose", "--json", s.id, portOf(inside))
	s.line(s.start(cmd), "{")
	s.output("kill", s.id)
	s.wantCode(cmd, exitNotFound)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func portOf(l net.Listener) string {
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func TestIDsMayBeShortened(t *testing.T) {
	s := newStage(t)
	if got := s.output("exec", s.id[:12], "echo", "yes"); got != "yes\n" {
		t.Errorf("by a prefix: %q", got)
	}
	// More ids than beginnings: two must begin with the same character.
	seen := map[byte]string{s.id[0]: s.id}
	for {
		id := strings.TrimSpace(s.output("create"))
		other, taken := seen[id[0]]
		if !taken {
			seen[id[0]] = id
			continue
		}
		var stderr bytes.Buffer
		cmd := s.qs("status", id[:1])
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.wantCode(cmd, exitError)
		if hint := stderr.String(); !strings.Contains(hint, id) || !strings.Contains(hint, other) {
			t.Errorf("ambiguous: %q does not tell of %s and %s", hint, id, other)
		}
		return
	}
}
