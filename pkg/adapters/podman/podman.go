// Package podman runs sandboxes as containers of the user's own rootless
// Podman. Import it for its side effect:
//
//	import _ "github.com/quixand/quixand/pkg/adapters/podman"
//
// The engine is asked over its REST API for lifecycles only: create, list,
// remove, events. Commands, files and ports go to the sandbox's agent through
// a socket in a directory that the container shares with the host, and never
// touch the engine.
//
// # What is where
//
// The labels of a container are the truth about its sandbox. A directory below
// XDG_RUNTIME_DIR holds the agent's socket. When it is lost the conversation
// breaks off, and the next one begins with a new directory in its place.
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
	"context"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/agentbin"
	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/internal/tombstone"
	"github.com/quixand/quixand/pkg/adapters"
)

// Name is what the adapter is registered as.
const Name = "podman"

func init() {
	adapters.Default.Register(Name, func(cfg adapters.Config) (adapters.Adapter, error) { return New(cfg), nil })
}

// Adapter drives one Podman. It is safe for concurrent use.
type Adapter struct {
	root    string
	runtime string
	image   string
	log     hclog.Logger
	dirs    *statedir.Runtime
	builds  *statedir.Runtime
	graves  *tombstone.Store
	agent   *agentbin.Finder
	watcher agentsock.Watcher
	pool    *agentsock.Pool
	engine  *engine
	host    host
	grace   time.Duration
}

var (
	_ adapters.Adapter       = (*Adapter)(nil)
	_ adapters.Dialer        = (*Adapter)(nil)
	_ adapters.Resolver      = (*Adapter)(nil)
	_ adapters.Checker       = (*Adapter)(nil)
	_ adapters.EventStreamer = (*Adapter)(nil)
	_ adapters.Historian     = (*Adapter)(nil)
	_ adapters.ImageBuilder  = (*Adapter)(nil)
	_ adapters.ImageStore    = (*Adapter)(nil)
	_ adapters.Pauser        = (*Adapter)(nil)
	_ adapters.Renamer       = (*Adapter)(nil)
	_ adapters.Snapshotter   = (*Adapter)(nil)
	_ adapters.StatsReader   = (*Adapter)(nil)
	_ adapters.Pruner        = (*Adapter)(nil)
)

// New returns an Adapter. The engine is spoken to when a method needs it.
func New(cfg adapters.Config) *Adapter {
	dirs := statedir.Open(cfg.Root)
	a := &Adapter{
		root:    cfg.Root,
		runtime: cfg.Runtime,
		image:   cfg.Image,
		log:     cfg.Logger,
		dirs:    dirs,
		builds:  statedir.OpenBuilds(cfg.Root),
		graves:  tombstone.Open(cfg.Root),
		agent:   agentbin.New(cfg.Root),
		engine:  newEngine(cfg.Logger, filepath.Dir(dirs.Path())),
		host:    localHost{},
		grace:   defaultGrace,
	}
	a.pool = agentsock.NewPool(agentsock.Directories(dirs.Sandbox), a.mend)
	return a
}

// Transport reaches an HTTP service inside the sandbox, the agent's or that
// at another port.
func (a *Adapter) Transport(_ context.Context, id string, port int) (http.RoundTripper, error) {
	return a.pool.Transport(id, port), nil
}

// DialPort opens a byte stream to a TCP port inside the sandbox.
func (a *Adapter) DialPort(ctx context.Context, id string, port int) (net.Conn, error) {
	return a.pool.DialPort(ctx, id, port)
}

// SetDeadline asks the agent: it keeps the time.
func (a *Adapter) SetDeadline(ctx context.Context, id string, idle time.Duration) error {
	_, err := a.client(id).SetTimeout(ctx, idle)
	return err
}

// client returns a client of the sandbox's agent.
func (a *Adapter) client(id string) *agentclient.Client {
	return agentclient.New(a.pool.Transport(id, adapters.AgentPort))
}

// Close gives back the idle connections, to the engine and to agents.
func (a *Adapter) Close() error {
	a.engine.close()
	a.pool.Close()
	return nil
}
