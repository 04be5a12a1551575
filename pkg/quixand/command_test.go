package quixand_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

func TestRun(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	for _, test := range []struct {
		script         string
		stdout, stderr string
		code           int
		signal         syscall.Signal
	}{
		{script: "true"},
		{script: "echo out; echo err >&2; exit 3", stdout: "out\n", stderr: "err\n", code: 3},
		{script: "printf 'a\\303'; printf '\\251z'", stdout: "aéz"},
		{script: "kill -TERM $$", code: -1, signal: syscall.SIGTERM},
		{script: "kill -KILL $$", code: -1, signal: syscall.SIGKILL},
		{script: "exit 255", code: 255},
		{script: "pwd", stdout: sb.Workdir() + "\n"},
		{script: "no-such-program", stderr: "sh: 1: no-such-program: not found\n", code: 127},
	} {
		res, err := sb.Shell(ctx, test.script)
		if err != nil {
			t.Errorf("%s: %v", test.script, err)
			continue
		}
		if res.Text() != test.stdout || (string(res.Stderr) != test.stderr && test.code != 127) || res.ExitCode != test.code || res.Signal != test.signal {
			t.Errorf("%s: %+v", test.script, res)
		}
		if res.Success() != (test.code == 0) {
			t.Errorf("%s: Success() = %v", test.script, res.Success())
		}
	}
	if res, err := sb.Run(ctx, "no-such-program", "-x"); err != nil || res.ExitCode != 127 {
		t.Errorf("missing program: %+v, %v", res, err)
	}
	if res, err := sb.Run(ctx, "echo", "-n", "$HOME", "a b", "*"); err != nil || res.Text() != "$HOME a b *" {
		t.Errorf("a shell has read the arguments: %+v, %v", res, err)
	}
}

func TestCmdFields(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	must(t, sb.Files.MkdirAll(ctx, "sub/dir"))
	cmd := sb.Command("sh", "-c", `echo "$A"; pwd`)
	cmd.Env = map[string]string{"A": "line\nbreak"}
	cmd.Dir = "sub/dir"
	out, err := cmd.Output(ctx)
	if want := "line\nbreak\n" + sb.Workdir() + "/sub/dir\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
	for name, cmd := range map[string]*quixand.Cmd{
		"no program":       sb.Command(""),
		"NUL":              sb.Command("echo", "a\x00b"),
		"not UTF-8":        sb.Command("echo", "\xff"),
		"negative timeout": with(sb.Command("true"), func(c *quixand.Cmd) { c.Timeout = -1 }),
		"env":              with(sb.Command("true"), func(c *quixand.Cmd) { c.Env = map[string]string{"A=": ""} }),
		"missing dir":      with(sb.Command("true"), func(c *quixand.Cmd) { c.Dir = "missing" }),
	} {
		if err := cmd.Run(ctx); !errors.Is(err, quixand.ErrInvalid) || cmd.Process != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	nobody := with(sb.Command("true"), func(c *quixand.Cmd) { c.User = "no-such-user" })
	if err := nobody.Run(ctx); err == nil {
		t.Error("ran as a user that is not there")
	}
}

func with(c *quixand.Cmd, f func(*quixand.Cmd)) *quixand.Cmd { f(c); return c }

func TestCmdOutput(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	_, err := sb.Command("sh", "-c", "echo out; echo err >&2; exit 4").Output(ctx)
	exit, ok := errors.AsType[*quixand.ExitError](err)
	if !ok || exit.Result.ExitCode != 4 || string(exit.Result.Stdout) != "out\n" || string(exit.Result.Stderr) != "err\n" || err.Error() != "exit status 4" {
		t.Errorf("Output: %+v", err)
	}
	both, err := sb.Command("sh", "-c", "echo out; echo err >&2").CombinedOutput(ctx)
	if err != nil || len(both) != 8 {
		t.Errorf("CombinedOutput: %q, %v", both, err)
	}
	if _, err := with(sb.Command("true"), func(c *quixand.Cmd) { c.Stdout = io.Discard }).Output(ctx); !errors.Is(err, quixand.ErrConflict) {
		t.Errorf("Output with Stdout: %v", err)
	}
	if _, err := with(sb.Command("true"), func(c *quixand.Cmd) { c.Stderr = io.Discard }).CombinedOutput(ctx); !errors.Is(err, quixand.ErrConflict) {
		t.Errorf("CombinedOutput with Stderr: %v", err)
	}
}

func TestCmdOrder(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	cmd := sb.Command("true")
	if err := cmd.Wait(); !errors.Is(err, quixand.ErrConflict) {
		t.Errorf("Wait before Start: %v", err)
	}
	must(t, cmd.Start(ctx))
	if err := cmd.Start(ctx); !errors.Is(err, quixand.ErrConflict) {
		t.Errorf("second Start: %v", err)
	}
	if _, err := cmd.StdoutPipe(); !errors.Is(err, quixand.ErrConflict) {
		t.Errorf("StdoutPipe after Start: %v", err)
	}
	for range 2 {
		must(t, cmd.Wait())
	}
	res, err := cmd.Process.Wait(ctx)
	if err != nil || !res.Success() {
		t.Errorf("Process.Wait: %+v, %v", res, err)
	}
}

// TestMuchOutput runs over the bound, and takes what was kept up to it.
func TestMuchOutput(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	for _, stream := range []string{"", ">&2"} {
		res, err := sb.Shell(ctx, "cat /dev/zero "+stream)
		if !errors.Is(err, quixand.ErrExhausted) {
			t.Fatalf("Shell: %v", err)
		}
		if kept := len(res.Stdout) + len(res.Stderr); kept != quixand.MaxOutput {
			t.Errorf("%d bytes were kept", kept)
		}
	}
	noneRunning(t, sb)
}

// noneRunning fails while a process that was started through the agent lives.
func noneRunning(t *testing.T, sb *quixand.Sandbox) {
	t.Helper()
	list, err := sb.Processes(t.Context())
	must(t, err)
	if len(list) > 0 {
		t.Errorf("running: %+v", list)
	}
}

func TestWriterError(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	broken := errors.New("the writer broke")
	r, w := io.Pipe()
	r.CloseWithError(broken)
	cmd := sb.Command("sh", "-c", "while :; do echo x; done")
	cmd.Stdout = w
	err := cmd.Run(ctx)
	if !errors.Is(err, broken) {
		t.Errorf("Run: %v", err)
	}
	noneRunning(t, sb)
}

func TestStdin(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	for name, test := range map[string]struct {
		r    io.Reader
		want []byte
	}{
		"none":         {nil, nil},
		"empty":        {strings.NewReader(""), nil},
		"small":        {strings.NewReader("small"), []byte("small")},
		"byte by byte": {iotest.OneByteReader(strings.NewReader("bytes")), []byte("bytes")},
		"data and EOF": {iotest.DataErrReader(strings.NewReader("data")), []byte("data")},
		"large":        {bytes.NewReader(large), large},
	} {
		cmd := sb.Command("cat")
		cmd.Stdin = test.r
		got, err := cmd.Output(ctx)
		if err != nil || !bytes.Equal(got, test.want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// TestStdinUnread ends commands that do not read what they are given.
func TestStdinUnread(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	blocked, w := io.Pipe()
	defer w.Close()
	for name, r := range map[string]io.Reader{"endless": zeros{}, "blocked": blocked} {
		cmd := sb.Command("sh", "-c", "exit 5")
		cmd.Stdin = r
		exit, ok := errors.AsType[*quixand.ExitError](cmd.Run(ctx))
		if !ok || exit.Result.ExitCode != 5 {
			t.Errorf("%s: %v", name, exit)
		}
	}
	cmd := sb.Command("sh", "-c", "exec <&-; echo closed; sleep 0.2")
	cmd.Stdin = zeros{}
	if out, err := cmd.Output(ctx); err != nil || string(out) != "closed\n" {
		t.Errorf("closed: %q, %v", out, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestStdinError(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	broken := errors.New("the reader broke")
	cmd := sb.Command("cat")
	cmd.Stdin = io.MultiReader(strings.NewReader("before"), iotest.ErrReader(broken))
	out, err := cmd.Output(ctx)
	if !errors.Is(err, broken) || string(out) != "before" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestPipes(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	cmd := sb.Command("sh", "-c", `while read -r x; do echo "got $x"; echo "err $x" >&2; done; echo end`)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	stderr, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start(ctx))
	lines := bufio.NewScanner(stdout)
	for _, word := range []string{"one", "two"} {
		_, err := io.WriteString(stdin, word+"\n")
		must(t, err)
		if !lines.Scan() || lines.Text() != "got "+word {
			t.Errorf("%q, %v", lines.Text(), lines.Err())
		}
	}
	must(t, stdin.Close())
	if !lines.Scan() || lines.Text() != "end" || lines.Scan() {
		t.Errorf("%q, %v", lines.Text(), lines.Err())
	}
	if errs, err := io.ReadAll(stderr); err != nil || string(errs) != "err one\nerr two\n" {
		t.Errorf("%q, %v", errs, err)
	}
	must(t, cmd.Wait())
	if _, err := stdin.Write([]byte("x")); err == nil {
		t.Error("a write to a command that has ended")
	}
}

// TestPipeClosedEarly is `yes | head -1`.
func TestPipeClosedEarly(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	cmd := sb.Command("yes")
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start(ctx))
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "y\n" {
		t.Errorf("%q, %v", line, err)
	}
	must(t, stdout.Close())
	if exit, ok := errors.AsType[*quixand.ExitError](cmd.Wait()); !ok || exit.Result.Signal != syscall.SIGKILL {
		t.Errorf("Wait: %v", exit)
	}
	noneRunning(t, sb)
}

// TestCancel cancels commands of many kinds. Each is dead inside when Wait
// returns.
func TestCancel(t *testing.T) {
	sb := newSandbox(t)
	for name, test := range map[string]struct {
		script  string
		prepare func(*quixand.Cmd)
	}{
		"plain":         {"echo ready; sleep 60", nil},
		"stdin":         {"echo ready; sleep 60", func(c *quixand.Cmd) { r, _ := io.Pipe(); c.Stdin = r }},
		"endless stdin": {"echo ready; sleep 60", func(c *quixand.Cmd) { c.Stdin = zeros{} }},
		"open stdin":    {"echo ready; sleep 60", func(c *quixand.Cmd) { c.OpenStdin = true }},
		"deaf":          {"trap '' INT TERM HUP; echo ready; sleep 60; sleep 60", nil},
		"child":         {"sleep 61 & echo ready; wait", nil},
		"unread":        {"echo ready; exec yes", nil},
		"both unread":   {"echo ready; yes >&2 & exec yes", func(c *quixand.Cmd) { _, err := c.StderrPipe(); must(t, err) }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cmd := sb.Command("sh", "-c", test.script)
			if test.prepare != nil {
				test.prepare(cmd)
			}
			stdout, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start(ctx))
			ready := make([]byte, len("ready\n"))
			if _, err := io.ReadFull(stdout, ready); err != nil || string(ready) != "ready\n" {
				t.Fatalf("%q, %v", ready, err)
			}
			cancel()
			if err := cmd.Wait(); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Wait: %v", err)
			}
			if _, err := io.Copy(io.Discard, stdout); !errors.Is(err, context.Canceled) {
				t.Errorf("the pipe has ended with %v", err)
			}
			noneRunning(t, sb)
		})
	}
}

func TestDeadline(t *testing.T) {
	sb := newSandbox(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	res, err := sb.Shell(ctx, "echo before; sleep 60")
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, quixand.ErrTimeout) || res.Text() != "before\n" {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err := sb.Run(ctx, "true"); res != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %+v, %v", res, err)
	}
	noneRunning(t, sb)
}

func TestTimeout(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	cmd := sb.Command("sh", "-c", "echo before; sleep 60")
	cmd.Timeout = 100 * time.Millisecond
	begin := time.Now()
	out, err := cmd.Output(ctx)
	if !errors.Is(err, quixand.ErrTimeout) || !strings.Contains(err.Error(), "longer than 100ms") || string(out) != "before\n" {
		t.Errorf("%q, %v", out, err)
	}
	if took := time.Since(begin); took < cmd.Timeout || took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	noneRunning(t, sb)
	cmd = sb.Command("echo", "in time")
	cmd.Timeout = time.Minute
	if out, err := cmd.Output(ctx); err != nil || string(out) != "in time\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestDetach(t *testing.T) {
	sb := newSandbox(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := sb.Command("sleep", "60")
	cmd.Detach, cmd.Tag = true, "nap"
	must(t, cmd.Start(ctx))
	cancel()
	if err := cmd.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	list, err := sb.Processes(t.Context())
	must(t, err)
	if len(list) != 1 || list[0].PID != cmd.Process.PID || list[0].Tag != "nap" || list[0].Cmd != "sleep" {
		t.Fatalf("%+v", list)
	}
	must(t, cmd.Process.Kill(t.Context()))
}

func TestSignals(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1} {
		cmd := sb.Command("sh", "-c", fmt.Sprintf("trap 'echo caught; exit 0' %d; echo ready; while :; do sleep 0.01; done", int(sig)))
		stdout, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start(ctx))
		lines := bufio.NewScanner(stdout)
		lines.Scan()
		must(t, cmd.Process.Signal(ctx, sig))
		if !lines.Scan() || lines.Text() != "caught" {
			t.Errorf("%v: %q", sig, lines.Text())
		}
		must(t, cmd.Wait())
	}
	cmd := sb.Command("true")
	must(t, cmd.Run(ctx))
	if err := cmd.Process.Kill(ctx); !errors.Is(err, quixand.ErrNotFound) {
		t.Errorf("after the end: %v", err)
	}
	if err := cmd.Process.Signal(ctx, 0); !errors.Is(err, quixand.ErrInvalid) {
		t.Errorf("signal 0: %v", err)
	}
}

// TestManyAtOnce also looks for what 200 commands at once leave behind.
func TestManyAtOnce(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	_, err := sb.Run(ctx, "true")
	must(t, err)
	before := runtime.NumGoroutine()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			cmd := sb.Command("sh", "-c", "read x; echo $x; exit $x")
			cmd.Stdin = strings.NewReader(strconv.Itoa(i) + "\n")
			out, err := cmd.Output(ctx)
			exit, _ := errors.AsType[*quixand.ExitError](err)
			if string(out) != strconv.Itoa(i)+"\n" || (i != 0 && (exit == nil || exit.Result.ExitCode != i)) {
				t.Errorf("%d: %q, %v", i, out, err)
			}
		})
	}
	all.Wait()
	noneRunning(t, sb)
	// Idle connections have two goroutines here and one in the agent.
	goroutines(t, before+4*64)
}

// goroutines waits until there are at most so many.
func goroutines(t *testing.T, most int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > most {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), most, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

// TestNothingIsLeft does a bit of everything, and counts goroutines before and
// after.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	c, ctx := newClient(t), t.Context()
	sb, err := c.Create(ctx, nil)
	must(t, err)
	for range 50 {
		_, err := sb.Run(ctx, "true")
		must(t, err)
		cut, cancel := context.WithCancel(ctx)
		cmd := sb.Command("cat")
		cmd.OpenStdin = true
		must(t, cmd.Start(cut))
		cancel()
		_ = cmd.Wait()
	}
	pty, err := sb.PTY(ctx, nil)
	must(t, err)
	must(t, pty.Close())
	l, err := sb.Expose(ctx, 80, 0)
	must(t, err)
	must(t, l.Close())
	must(t, sb.Kill(ctx))
	goroutines(t, before)
}
