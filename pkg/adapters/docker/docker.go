// Package docker runs sandboxes as containers of a Docker daemon. Import it for
// its side effect:
//
//	import _ "github.com/quixand/quixand/pkg/adapters/docker"
//
// The daemon is asked over its API for lifecycles only, as internal/local has
// it, which is most of this adapter. What is here is Docker: how its daemon is
// found and spoken to, what its errors mean, and what its containers need.
//
// # Engine
//
// Docker 19.03 or newer (API 1.40), rootful or rootless, and whatever else
// speaks this API, such as Podman's compatibility socket: that of DOCKER_HOST,
// of DOCKER_CONTEXT or the docker command's current context, or of this machine. TLS
// is honoured. The version of the API is negotiated. The client is
// github.com/moby/moby/client, which is where Docker's own goes on; unlike
// github.com/docker/docker it is a module of its own, without the daemon's
// dependencies.
//
// # The way to the agent
//
// A daemon of this machine mounts the directory of the agent's socket, which
// belongs to the calling user, as with Podman; the agent, root as the daemon
// is, gives the socket to that user. Where nothing can be mounted, because the daemon
// is in a virtual machine, on another one, or its containers' root is nobody
// here, one exec that stays open carries all connections (internal/bridge).
// QS_DATA_PLANE=exec or socket overrides what is found out. What such an agent
// has to say when it ends is in its container, which therefore stays until a
// call has read that.
//
// # Isolation
//
// The root of a sandbox is the daemon's user's: the real root of the host,
// where the daemon is rootful and remaps no user ids. It has the few
// capabilities of a Podman sandbox's root, no-new-privileges and the daemon's
// seccomp profile, but what gets past these is root. `qs doctor` says so.
//
// With network bridge all sandboxes are on the daemon's default bridge. The
// agent makes that network unreachable from inside, before it gives up the right to,
// and with it sandboxes for each other; so are the addresses that the host has
// when the sandbox is created. Ports cannot be published, since their answers go
// by that network: they can be exposed.
package docker

import (
	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Name is what the adapter is registered as.
const Name = "docker"

// Adapter drives one Docker daemon. It is safe for concurrent use.
type Adapter struct {
	*local.Adapter
	adapters.ImageStore
	adapters.ImageBuilder
}

// New returns an Adapter. The daemon is spoken to when a method needs it.
func New(cfg adapters.Config) *Adapter { return over(cfg, newEngine(cfg)) }

func over(cfg adapters.Config, e *engine) *Adapter {
	return &Adapter{local.New(Name, cfg, e), e, e}
}

var (
	_ local.Engine   = (*engine)(nil)
	_ local.Cleaner  = (*engine)(nil)
	_ local.Streamer = (*engine)(nil)
)
