package agentsock

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/quixand/quixand/internal/agentapi"
)

func TestReadEnd(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, agentapi.EndName), []byte(`{"reason":"idle","detail":"idle for 1s","exitCode":124}`), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := ReadEnd(dir)
	if err != nil || e.Reason != agentapi.EndIdle || e.Detail != "idle for 1s" || e.ExitCode != 124 {
		t.Errorf("%+v, %v", e, err)
	}
}

// The directory was the sandbox's.
func TestReadEndRefuses(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(`{"reason":"idle"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(text string) func(string) error {
		return func(p string) error { return os.WriteFile(p, []byte(text), 0o600) }
	}
	for name, plant := range map[string]func(path string) error{
		"nothing":     func(string) error { return nil },
		"a link":      func(p string) error { return os.Symlink(secret, p) },
		"a FIFO":      func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"a directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"nonsense":    write("\x00\x01"),
		"too much":    write(`{"reason":"` + strings.Repeat("x", agentapi.MaxEnd) + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := plant(filepath.Join(dir, agentapi.EndName)); err != nil {
				t.Fatal(err)
			}
			if e, err := ReadEnd(dir); err == nil {
				t.Errorf("%+v", e)
			}
		})
	}
}
