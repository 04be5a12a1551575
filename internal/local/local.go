// Package local is what the adapters of the engines on this machine share: a
// sandbox is a container whose first process is the agent, with a directory that
// it shares with the host and in which the agent's socket appears.
//
// The engine is asked for lifecycles only: create, list, remove, events.
// Commands, files and ports go to the agent and never touch the engine. What
// this package asks of an engine is the [Engine] interface; how an engine is
// found and spoken to, what its errors mean, and what its containers need that
// others do not, is the business of its own package.
//
// # What is where
//
// The labels of a container are the truth about its sandbox. A directory below
// XDG_RUNTIME_DIR holds the agent's socket. When it is lost the conversation
// breaks off, and the next one begins with a new directory in its place.
package local

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/agentbin"
	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/internal/tombstone"
	"github.com/quixand/quixand/pkg/adapters"
)

// Adapter drives sandboxes on one engine. It is safe for concurrent use. The
// adapter of an engine embeds it, and adds what not all engines can do.
type Adapter struct {
	name    string
	engine  Engine
	root    string
	image   string
	log     hclog.Logger
	dirs    *statedir.Runtime
	graves  *tombstone.Store
	agent   *agentbin.Finder
	watcher agentsock.Watcher
	dial    agentsock.Dialer
	pool    *agentsock.Pool
	grace   time.Duration
}

var (
	_ adapters.Adapter       = (*Adapter)(nil)
	_ adapters.Dialer        = (*Adapter)(nil)
	_ adapters.Resolver      = (*Adapter)(nil)
	_ adapters.Checker       = (*Adapter)(nil)
	_ adapters.EventStreamer = (*Adapter)(nil)
	_ adapters.Historian     = (*Adapter)(nil)
	_ adapters.Pauser        = (*Adapter)(nil)
	_ adapters.Renamer       = (*Adapter)(nil)
	_ adapters.Snapshotter   = (*Adapter)(nil)
	_ adapters.StatsReader   = (*Adapter)(nil)
	_ adapters.Pruner        = (*Adapter)(nil)
)

// New returns the Adapter of an engine, by the name that it is registered as.
func New(name string, cfg adapters.Config, engine Engine) *Adapter {
	a := &Adapter{
		name:   name,
		engine: engine,
		root:   cfg.Root,
		image:  cfg.Image,
		log:    cfg.Logger,
		dirs:   statedir.Open(cfg.Root),
		graves: tombstone.Open(cfg.Root),
		agent:  agentbin.New(cfg.Root),
		grace:  defaultGrace,
	}
	a.dial = agentsock.Directories(a.dirs.Sandbox)
	if s, ok := engine.(Streamer); ok {
		a.dial = streamed(s, a.dial)
	}
	a.pool = agentsock.NewPool(a.dial, a.mend)
	return a
}

// streamed asks the engine for the way to an agent before it goes another one.
func streamed(s Streamer, otherwise agentsock.Dialer) agentsock.Dialer {
	return func(ctx context.Context, id string) (net.Conn, error) {
		streams, err := s.Streams(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case streams:
			return s.Stream(ctx, id)
		}
		return otherwise(ctx, id)
	}
}

// streams reports whether the engine is the way to a sandbox's agent.
func (a *Adapter) streams(ctx context.Context, id string) bool {
	s, ok := a.engine.(Streamer)
	if !ok {
		return false
	}
	streams, err := s.Streams(ctx, id)
	return err == nil && streams
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
	a.engine.Close()
	a.pool.Close()
	return nil
}
