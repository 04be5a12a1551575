package podman

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// probe is an [adapters.Prober]. It does not connect: that would start what
// listens for its first client.
func probe(cfg adapters.Config) adapters.Check {
	check := adapters.Check{Name: Name, Status: adapters.CheckFail}
	at, err := locate(filepath.Dir(statedir.Open(cfg.Root).Path()))
	if err != nil {
		check.Detail = err.Error()
		return check
	}
	socket := listening(at.sockets)
	program, _ := exec.LookPath("podman")
	starts := program != "" && at.own != ""
	switch {
	case socket != "" && localHost{}.ownedByRoot(socket), socket == "" && starts && os.Geteuid() == 0 && !inUserNamespace():
		check.Detail = "this is root, whose engine would make sandboxes root of this machine"
		check.Cure = "run as an ordinary user, for rootless Podman"
	case socket != "":
		check.Status, check.Detail = adapters.CheckOK, "rootless, at "+socket
	case starts:
		check.Status, check.Detail = adapters.CheckOK, "rootless, "+program+" can be started"
	case os.Getenv("CONTAINER_HOST") != "":
		// Who names an engine means no other, though it does not answer now.
		check.Status, check.Detail = adapters.CheckOK, "CONTAINER_HOST names "+at.sockets[0]
	case at.own == "":
		check.Detail = "nothing is at " + at.sockets[0] + ", podman's default connection"
	default:
		check.Detail, check.Cure = "not installed", "install podman: dnf install podman, or apt install podman"
	}
	return check
}

// listening is the first path at which there is a socket.
func listening(sockets []string) string {
	for _, path := range sockets {
		if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			return path
		}
	}
	return ""
}
