package hostsfile_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/quixand/quixand/internal/agent/hostsfile"
)

const want = "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\tabc123\n"

// Whatever the image has there is replaced, and never followed or opened.
func TestWrite(t *testing.T) {
	for name, before := range map[string]func(path string) error{
		"none":    func(string) error { return nil },
		"empty":   func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"another": func(path string) error { return os.WriteFile(path, []byte("192.0.2.1 host\n"), 0o600) },
		"a link":  func(path string) error { return os.Symlink("elsewhere", path) },
		"a pipe":  func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			etc := t.TempDir()
			path := filepath.Join(etc, "hosts")
			if err := before(path); err != nil {
				t.Fatal(err)
			}
			if err := hostsfile.Write(path, "abc123"); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != want {
				t.Errorf("%q, %v", got, err)
			}
			if entries, err := os.ReadDir(etc); err != nil || len(entries) != 1 {
				t.Errorf("%v, %v", entries, err)
			}
		})
	}
}

// A scratch image has no /etc.
func TestWriteMakesTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etc", "hosts")
	if err := hostsfile.Write(path, "abc123"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWriteFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := hostsfile.Write(path, "abc123"); err == nil {
		t.Error("a directory was replaced")
	}
}
