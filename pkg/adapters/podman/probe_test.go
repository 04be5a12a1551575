package podman

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quixand/quixand/pkg/adapters"
)

// A probe tells what there is, and starts nothing of it.
func TestProbe(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		program, socket bool
		host            string // CONTAINER_HOST
		status          adapters.CheckStatus
		detail          string
	}{
		"nothing":         {status: adapters.CheckFail, detail: "not installed"},
		"a program":       {program: true, status: adapters.CheckOK, detail: "bin/podman can be started"},
		"a socket":        {socket: true, status: adapters.CheckOK, detail: "podman.sock"},
		"one is named":    {host: "unix:///nowhere/podman.sock", status: adapters.CheckOK, detail: "/nowhere/podman.sock"},
		"another machine": {program: true, host: "ssh://elsewhere", status: adapters.CheckFail, detail: "ssh"},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Geteuid() == 0 && test.status == adapters.CheckOK && !inUserNamespace() {
				t.Skip("lacks an ordinary user")
			}
			run := t.TempDir()
			bin := filepath.Join(run, "bin")
			t.Setenv("XDG_RUNTIME_DIR", run)
			t.Setenv("XDG_CONFIG_HOME", run)
			t.Setenv("PATH", bin)
			t.Setenv("CONTAINER_HOST", test.host)
			if test.program {
				if err := os.Mkdir(bin, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(program, filepath.Join(bin, "podman")); err != nil {
					t.Fatal(err)
				}
			}
			if test.socket {
				l, err := listen(filepath.Join(run, "podman", "podman.sock"))
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
			}
			got := probe(adapters.Config{Root: t.TempDir()})
			if got.Name != Name || got.Status != test.status || !strings.Contains(got.Detail, test.detail) {
				t.Errorf("%+v", got)
			}
		})
	}
}
