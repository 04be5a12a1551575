package docker

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/adapters"
)

func init() {
	adapters.Default.Register(Name, func(cfg adapters.Config) (adapters.Adapter, error) { return New(cfg), nil })
	adapters.Default.RegisterProbe(Name, probe)
}

// probe is an [adapters.Prober]. It does not connect: that would start what
// listens for its first client.
func probe(adapters.Config) adapters.Check {
	check := adapters.Check{Name: Name, Status: adapters.CheckFail}
	at, err := locate()
	if err != nil {
		check.Detail = err.Error()
		return check
	}
	socket := at.socket()
	if socket == "" {
		check.Status, check.Detail = adapters.CheckWarn, "a daemon at "+at.host+", which "+at.source+" names"
		return check
	}
	info, err := os.Stat(socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		check.Detail, check.Cure = "nothing is at "+socket, "install docker.io and start it"
	case err != nil || info.Mode()&os.ModeSocket == 0:
		check.Detail = socket + " is no socket"
	case unix.Access(socket, unix.R_OK|unix.W_OK) != nil:
		check.Detail, check.Cure = "this user may not use "+socket, "join its group: sudo usermod -aG docker $USER"
	case ownedBySelf(socket) && os.Geteuid() != 0:
		check.Status, check.Detail = adapters.CheckOK, "rootless, at "+socket
	default:
		check.Status, check.Detail = adapters.CheckWarn, "root's, at "+socket
	}
	return check
}
