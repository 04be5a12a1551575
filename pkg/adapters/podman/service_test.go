package podman

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/pkg/adapters"
)

// TestMain lets the test binary be the podman that a test puts into PATH.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "podman" {
		os.Exit(beService())
	}
	os.Exit(m.Run())
}

// beService answers one ping on the socket that it was started with, as
// podman system service would, and ends.
func beService() int {
	if os.Getenv("DOUBLE_FAILS") != "" {
		os.Stderr.WriteString(`level=error msg="no subuid ranges found for user"` + "\n")
		return 125
	}
	l, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return 1
	}
	conn, err := l.Accept()
	if err != nil {
		return 1
	}
	defer conn.Close()
	conn.Read(make([]byte, 4096))
	resp := http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Close: true}
	if resp.Write(conn) != nil {
		return 1
	}
	// Somebody connects once more, to use it.
	conn, err = l.Accept()
	if err != nil {
		return 1
	}
	conn.Close()
	return 0
}

// podmanInPath makes this test binary the only program in PATH beside sh.
func podmanInPath(t *testing.T) *dialer {
	t.Helper()
	bin, dir := t.TempDir(), t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"podman": program, "sh": "/bin/sh"} {
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	own := filepath.Join(dir, "quixand", "podman.sock")
	at := endpoint{sockets: []string{filepath.Join(dir, "podman.sock"), own}, own: own}
	return &dialer{endpoint: at, log: hclog.NewNullLogger()}
}

func TestServiceIsStarted(t *testing.T) {
	d := podmanInPath(t)
	conn, err := d.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if d.socket() != d.endpoint.own {
		t.Errorf("connected to %s", d.socket())
	}
	if _, err := os.Stat(d.endpoint.own); err != nil {
		t.Error(err)
	}
}

// A socket whose service has ended is in nobody's way.
func TestServiceReplacesStaleSocket(t *testing.T) {
	d := podmanInPath(t)
	stale, err := listen(d.endpoint.own)
	if err != nil {
		t.Fatal(err)
	}
	stale.Close()
	conn, err := d.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestServiceThatFails(t *testing.T) {
	d := podmanInPath(t)
	t.Setenv("DOUBLE_FAILS", "1")
	_, err := d.dial(t.Context(), "", "")
	e, ok := errors.AsType[*adapters.Error](err)
	if !ok || e.Kind != adapters.ErrUnavailable || e.Hint != hintSubID || !strings.Contains(err.Error(), "no subuid ranges") {
		t.Errorf("dial: %v", err)
	}
}

func TestNoPodman(t *testing.T) {
	d := podmanInPath(t)
	t.Setenv("PATH", t.TempDir())
	_, err := d.dial(t.Context(), "", "")
	e, ok := errors.AsType[*adapters.Error](err)
	if !ok || e.Kind != adapters.ErrUnavailable || !strings.Contains(e.Hint, "install podman") {
		t.Errorf("dial: %v", err)
	}
}
