// Package agent is what runs inside a sandbox and does there what the host
// asks for: commands, terminals, files, watches and ports, over HTTP on a unix
// socket, in E2B's protocol with the extensions of package agentapi.
//
// An [Agent] is a plain http.Handler with a lifecycle. It runs as PID 1 of a
// container, where it also reaps orphans and confines what it starts, and just
// as well inside a test, as an ordinary user with no container at all. Nothing
// here is global.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/agent/access"
	"github.com/quixand/quixand/internal/agent/activity"
	"github.com/quixand/quixand/internal/agent/archive"
	"github.com/quixand/quixand/internal/agent/elevate"
	"github.com/quixand/quixand/internal/agent/environ"
	"github.com/quixand/quixand/internal/agent/files"
	"github.com/quixand/quixand/internal/agent/filesystem"
	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/journal"
	"github.com/quixand/quixand/internal/agent/lease"
	"github.com/quixand/quixand/internal/agent/metrics"
	"github.com/quixand/quixand/internal/agent/process"
	"github.com/quixand/quixand/internal/agent/spawn"
	"github.com/quixand/quixand/internal/agent/threads"
	"github.com/quixand/quixand/internal/agent/tunnel"
	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/labels"
)

// Agent serves one sandbox.
type Agent struct {
	cfg   Config
	users *identity.Directory
	env   *environ.Environment
	clock *activity.Clock
	lease *lease.Lease // nil: the sandbox is nobody's
	token access.Token

	labels labels.Set

	journal *journal.Journal

	spawner    *spawn.Spawner
	processes  *process.Service
	elevate    *elevate.Service // nil: there is no sudo
	filesystem *filesystem.Service
	files      *files.Service
	archive    *archive.Service
	tunnels    *tunnel.Service
	meter      *metrics.Meter

	handler http.Handler
	close   func()

	initMu   sync.Mutex
	initTime time.Time // of the last /init that was applied
}

// New returns an Agent whose time has begun. Close releases what it holds.
func New(cfg Config) (*Agent, error) {
	cfg = cfg.withDefaults()
	if err := cfg.confine(); err != nil {
		return nil, err
	}
	user, err := cfg.account()
	if err != nil {
		return nil, fmt.Errorf("account to run code as: %w", err)
	}
	if err := cfg.nameSelf(); err != nil {
		return nil, err
	}
	a := &Agent{
		cfg:   cfg,
		users: identity.NewDirectory(identity.Options{EtcDir: cfg.EtcDir, User: user, Alias: agentapi.DefaultUser}),
		env:   environ.New(cfg.ID, cfg.Env),
		clock: activity.New(cfg.IdleTimeout, cfg.Lifetime, cfg.enforce()),

		journal: journal.New(),
	}
	if cfg.FixedTimeout {
		a.clock.Fix()
	}
	if cfg.Init {
		// In the way of nobody's start: it takes longer to be found by code.
		go threads.Reserve(agentapi.Threads / 2)
	}
	if a.spawner, err = spawn.New(spawn.Options{Init: cfg.Init}); err != nil {
		return nil, err
	}
	a.processes, err = process.New(process.Options{
		Spawner: a.spawner, Users: a.users, Env: a.env, Begin: a.clock.Begin, Journal: a.journal,
	})
	if err != nil {
		a.spawner.Close()
		return nil, err
	}
	if cfg.Sudo {
		a.elevate, err = elevate.New(elevate.Options{Spawner: a.spawner, Users: a.users, Begin: a.clock.Begin})
		if err != nil {
			a.processes.Close()
			a.spawner.Close()
			return nil, fmt.Errorf("sudo: %w", err)
		}
	}
	a.filesystem = filesystem.New(a.users)
	a.files = files.New(a.users)
	a.archive = archive.New(a.users)
	a.tunnels = tunnel.New()
	a.meter = metrics.New()
	a.handler = a.routes()
	if cfg.Init {
		a.clock.OnQuiet(calm, func() {
			a.spawner.Calm()
			releaseMemory()
		})
	}
	if cfg.Lease {
		a.lease = lease.New(leaseTimes, a.clock.Expire)
	}
	a.close = sync.OnceFunc(func() {
		a.lease.Stop()
		a.clock.Stop()
		a.tunnels.Close()
		a.filesystem.Close()
		a.elevate.Close()
		a.processes.Close()
		a.spawner.Close()
	})
	return a, nil
}

// leaseTimes end a sandbox within ten seconds of its creator's death, the
// engine's removal included, and also when that was before its first word.
var leaseTimes = lease.Times{First: 8 * time.Second, Gap: 5 * time.Second}

// calm is how long nothing must have happened before memory is given back. A
// host may hold many sandboxes that were busy once.
const calm = 5 * time.Second

func releaseMemory() {
	runtime.GC() // pools are emptied by the second collection
	debug.FreeOSMemory()
}

// Handler serves the agent's API. It may be used without Serve.
func (a *Agent) Handler() http.Handler { return a.handler }

// Serve accepts connections until ctx ends, which is no error, or until the
// sandbox's time is up: [activity.ErrIdle], [activity.ErrLifetime] or
// [lease.ErrAbandoned]. It closes the listener and every connection, and does not wait for handlers.
func (a *Agent) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: 30 * time.Second,
		MaxHeaderBytes:    256 << 10,
		// What clients do wrong is theirs to know, and the engine keeps every
		// line that we write.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	var why error
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	case <-a.clock.Done():
		why = a.clock.Err()
	}
	srv.Close()
	<-failed
	return why
}

// Done is closed when the sandbox's time is up; Err then says why.
func (a *Agent) Done() <-chan struct{} { return a.clock.Done() }

// Err says why Done was closed, and is nil before.
func (a *Agent) Err() error { return a.clock.Err() }

// Close kills every process that was started through the agent and waits for
// its end. Calls that are still served fail from then on.
func (a *Agent) Close() error {
	a.close()
	return nil
}

// IsDeadline reports whether an error of Serve means that the sandbox's time
// was up.
func IsDeadline(err error) bool {
	return errors.Is(err, activity.ErrIdle) || errors.Is(err, activity.ErrLifetime) || errors.Is(err, lease.ErrAbandoned)
}
