package quixand_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/quixand/quixand/pkg/quixand"
)

func TestPTY(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	pty, err := sb.PTY(ctx, &quixand.PTYOptions{
		Command: []string{"sh", "-c", `stty -echo; tty >/dev/null && stty size; echo "$TERM $A"; while read -r x; do echo "got $x"; stty size; done; exit 9`},
		Cols:    100, Rows: 30, Env: map[string]string{"TERM": "vt100", "A": "b"}, Tag: "terminal",
	})
	must(t, err)
	lines := bufio.NewScanner(pty)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || strings.TrimRight(lines.Text(), "\r") != want {
			t.Fatalf("%q, %v, want %q", lines.Text(), lines.Err(), want)
		}
	}
	expect("30 100")
	expect("vt100 b")
	must(t, pty.Resize(ctx, 132, 50))
	_, err = io.WriteString(pty, "héllo\n")
	must(t, err)
	expect("got héllo")
	expect("50 132")
	_, err = pty.Write([]byte{4}) // the end of the input, on a terminal
	must(t, err)
	if lines.Scan() {
		t.Errorf("after the end: %q", lines.Text())
	}
	res, err := pty.Wait(ctx)
	if err != nil || res.ExitCode != 9 {
		t.Errorf("%+v, %v", res, err)
	}
	must(t, pty.Close())
	if _, err := pty.Write([]byte("x")); err == nil {
		t.Error("a write after the end")
	}
}

func TestPTYInterrupt(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	pty, err := sb.PTY(ctx, &quixand.PTYOptions{Command: []string{"cat"}})
	must(t, err)
	_, err = io.WriteString(pty, "x\n")
	must(t, err)
	echo := make([]byte, len("x\r\nx\r\n")) // the terminal's, and then cat's
	if _, err := io.ReadFull(pty, echo); err != nil || string(echo) != "x\r\nx\r\n" {
		t.Errorf("%q, %v", echo, err)
	}
	_, err = pty.Write([]byte{3})
	must(t, err)
	_, _ = io.Copy(io.Discard, pty)
	if res, err := pty.Wait(ctx); err != nil || res.Signal != syscall.SIGINT {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestPTYShell(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	pty, err := sb.PTY(ctx, nil)
	must(t, err)
	_, err = io.WriteString(pty, "echo $((6*7)) in $0; exit 5\n")
	must(t, err)
	out, err := io.ReadAll(pty)
	if err != nil || !bytes.Contains(out, []byte("42 in ")) {
		t.Errorf("%q, %v", out, err)
	}
	if res, err := pty.Wait(ctx); err != nil || res.ExitCode != 5 {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestPTYEnds hangs up in every way.
func TestPTYEnds(t *testing.T) {
	sb := newSandbox(t)
	for name, end := range map[string]func(*quixand.PTY, context.CancelFunc){
		"close":  func(p *quixand.PTY, _ context.CancelFunc) { p.Close() },
		"cancel": func(_ *quixand.PTY, cancel context.CancelFunc) { cancel() },
		"kill":   func(p *quixand.PTY, _ context.CancelFunc) { p.Kill(t.Context()) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		pty, err := sb.PTY(ctx, &quixand.PTYOptions{Command: []string{"yes"}})
		must(t, err)
		_, err = io.ReadFull(pty, make([]byte, 1000))
		must(t, err)
		end(pty, cancel)
		_, _ = io.Copy(io.Discard, pty)
		if res, err := pty.Wait(t.Context()); err == nil && res.Signal != syscall.SIGKILL {
			t.Errorf("%s: %+v", name, res)
		}
		noneRunning(t, sb)
		cancel()
	}
}

func TestAttachPTY(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	first, cancel := context.WithCancel(ctx)
	pty, err := sb.PTY(first, &quixand.PTYOptions{Command: []string{"sh", "-c", "stty -echo; echo ready; read x; echo got $x"}, Tag: "shell", Detach: true})
	must(t, err)
	if line, err := bufio.NewReader(pty).ReadString('\n'); err != nil || line != "ready\r\n" {
		t.Errorf("%q, %v", line, err)
	}
	cancel()
	if _, err := pty.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	again, err := sb.AttachPTY(ctx, quixand.ProcessRef{Tag: "shell"})
	must(t, err)
	must(t, again.Resize(ctx, 20, 10))
	_, err = io.WriteString(again, "me\n")
	must(t, err)
	out, err := io.ReadAll(again)
	if err != nil || string(out) != "ready\r\ngot me\r\n" {
		t.Errorf("%q, %v", out, err)
	}
	if res, err := again.Wait(ctx); err != nil || !res.Success() {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestPTYRefusals(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	for name, o := range map[string]quixand.PTYOptions{
		"negative": {Cols: -1}, "huge": {Rows: 65536}, "no program": {Command: []string{""}},
	} {
		if _, err := sb.PTY(ctx, &o); !errors.Is(err, quixand.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
