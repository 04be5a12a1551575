package podman

import (
	"path/filepath"
	"testing"
)

// FuzzSocketOf reads what a user may have put into CONTAINER_HOST. What is taken
// is an absolute path.
func FuzzSocketOf(f *testing.F) {
	for _, seed := range []string{
		"unix:///run/user/1000/podman/podman.sock", "unix://run/podman.sock", "ssh://user@host/run/podman.sock", "tcp://[::1]:1", "/plain", "", "unix://%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if socket, err := socketOf(uri); err == nil && (!filepath.IsAbs(socket) || filepath.Clean(socket) != socket) {
			t.Fatalf("%q names %q", uri, socket)
		}
	})
}
