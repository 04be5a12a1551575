// Package podman runs sandboxes as containers of the user's own rootless
// Podman. Import it for its side effect:
//
//	import _ "github.com/quixand/quixand/pkg/adapters/podman"
//
// The engine is asked over its REST API for lifecycles only, as internal/local
// has it, which is most of this adapter. What is here is Podman: how its service
// is found, spoken to and started, what its errors mean, and what its containers
// need.
//
// # Engine
//
// Podman 4.3 to 5.x, over a unix socket: that of CONTAINER_HOST, of podman's
// default connection, or of podman.socket. Where none answers, the user's
// podman.socket or else a podman service is started. Engines of other machines
// (ssh, tcp) are refused; so is root's, whose sandboxes would be root of this
// machine.
//
// Programs that import this package need no build tags and no C libraries.
//
// # Isolation
//
// The agent is the only program that the engine starts: as the container's
// root, which is this user outside, with the capabilities to start code as
// another user and no-new-privileges, under the engine's seccomp profile. The
// specification leaves nothing of that to the image or to containers.conf.
//
// With network bridge a sandbox has a user-mode network of its own (pasta;
// slirp4netns before Podman 5). The addresses by which such networks reach the
// host are switched off, and those that the host has when the sandbox is
// created are unreachable from inside, link-local ones included. What remains
// of the host is its resolver.
//
// Limits of memory, processors and processes need the cgroup controllers that
// systemd delegates to the user. Where they are missing, sandboxes run without
// limits, and one that asks for a limit is refused.
package podman

import (
	"path/filepath"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// Name is what the adapter is registered as.
const Name = "podman"

func init() {
	adapters.Default.Register(Name, func(cfg adapters.Config) (adapters.Adapter, error) { return New(cfg), nil })
	adapters.Default.RegisterProbe(Name, probe)
}

// Adapter drives one Podman. It is safe for concurrent use.
type Adapter struct {
	*local.Adapter
	adapters.ImageStore
	adapters.ImageBuilder
}

// New returns an Adapter. The engine is spoken to when a method needs it.
func New(cfg adapters.Config) *Adapter {
	// A service of ours listens beside the sandboxes' directories.
	return over(cfg, newEngine(cfg, filepath.Dir(statedir.Open(cfg.Root).Path())))
}

func over(cfg adapters.Config, e *engine) *Adapter {
	return &Adapter{local.New(Name, cfg, e), e, e}
}

var (
	_ local.Engine        = (*engine)(nil)
	_ local.Killer        = (*engine)(nil)
	_ local.Forgetter     = (*engine)(nil)
	_ local.Sweeper       = (*engine)(nil)
	_ local.Mender        = (*engine)(nil)
	_ local.Cleaner       = (*engine)(nil)
	_ local.Explainer     = (*engine)(nil)
	_ local.MemoryCounter = (*engine)(nil)
)
