package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

// newTestApp gives an App on buffers that has no client.
func newTestApp(t *testing.T) (a *App, stdout, stderr *bytes.Buffer) {
	t.Helper()
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	a = New()
	a.Stdin, a.Stdout, a.Stderr = strings.NewReader(""), stdout, stderr
	a.Open = func(*quixand.Config) (*quixand.Client, error) {
		t.Error("a client was opened")
		return nil, quixand.ErrUnavailable
	}
	return a, stdout, stderr
}

// Every command tells what it does, completes without files of this host
// unless it takes some, and needs no client for its help.
func TestEveryCommandHelps(t *testing.T) {
	a, stdout, _ := newTestApp(t)
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		stdout.Reset()
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		if code := a.Main(args); code != 0 {
			t.Errorf("%v: exit code %d", args, code)
		}
		if cmd.Short == "" || !strings.Contains(stdout.String(), "\n") {
			t.Errorf("%v: no help", args)
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newRootCmd(a))
}

func TestPanicIsOneLine(t *testing.T) {
	a, _, stderr := newTestApp(t)
	a.Open = func(*quixand.Config) (*quixand.Client, error) { panic("oh\nno") }
	if code := a.Main([]string{"ls"}); code != exitError {
		t.Errorf("exit code %d", code)
	}
	if got, want := stderr.String(), "qs: this is a bug of qs, please report it: oh^Jno\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
