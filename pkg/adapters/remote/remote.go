// Package remote runs sandboxes on a server: `qs serve` on another machine, or
// E2B's cloud. Import it for its side effect:
//
//	import _ "github.com/quixand/quixand/pkg/adapters/remote"
//
// QS_REMOTE_URL says where the server is, and QS_API_KEY lets in. The server is
// asked over E2B's REST API and what `qs serve` has beside it
// (internal/serverapi); the agents are reached through its proxy, by E2B's
// headers. Whether a server is a Quixand or not shows in its first answer: all
// that depends on it is behind the dialect interface.
//
// # What is whose
//
// Sandboxes are the key's. Those of the default Quixand root are the same from
// every machine that has the key, and those that E2B's SDKs create are among
// them; another QS_ROOT keeps its own apart.
//
// # When the network fails
//
// Connections are tried again, with growing pauses. A call is repeated only when it is
// known not to have arrived, or when it does no harm twice; the creation of a
// sandbox has a name by which the server knows it again. What the server asks for by
// Retry-After is done.
//
// # E2B's cloud
//
// It was written from recorded answers and never run against the cloud. It has no
// idle timeouts (they are fixed there), no names, events or memory of sandboxes
// that have ended, and no raw ports: these are ErrUnsupported.
package remote

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// Name is what the adapter is registered as.
const Name = "remote"

func init() {
	adapters.Default.Register(Name, func(cfg adapters.Config) (adapters.Adapter, error) { return open(cfg, os.Getenv) })
}

// Adapter drives one server. It is safe for concurrent use.
type Adapter struct {
	root     string // of this client
	server   *server
	passes   passes
	own, e2b dialect
	foreign  atomic.Bool // the server speaks e2b
}

var (
	_ adapters.Adapter       = (*Adapter)(nil)
	_ adapters.Hosted        = (*Adapter)(nil)
	_ adapters.Dialer        = (*Adapter)(nil)
	_ adapters.Checker       = (*Adapter)(nil)
	_ adapters.EventStreamer = (*Adapter)(nil)
	_ adapters.Historian     = (*Adapter)(nil)
	_ adapters.Pauser        = (*Adapter)(nil)
	_ adapters.Renamer       = (*Adapter)(nil)
	_ adapters.Snapshotter   = (*Adapter)(nil)
	_ adapters.StatsReader   = (*Adapter)(nil)
)

// open reads where the server is. It is not spoken to yet.
func open(cfg adapters.Config, getenv func(string) string) (*Adapter, error) {
	at, err := parseAddress(getenv(urlVariable))
	if err != nil {
		return nil, err
	}
	if getenv(keyVariable) == "" {
		return nil, &adapters.Error{
			Kind: adapters.ErrInvalid, Err: errNoKey,
			Hint: "set " + keyVariable + ": the server's owner makes keys with qs serve keys create",
		}
	}
	s := newServer(at, getenv(keyVariable))
	a := &Adapter{root: cfg.Root, server: s}
	side := client{s, cfg.Root, spaceOf(cfg.Root)}
	a.own, a.e2b = &own{side}, &e2b{side}
	a.foreign.Store(isHosted(at.base.Hostname()))
	return a, nil
}

// Create starts a sandbox on the server.
func (a *Adapter) Create(ctx context.Context, spec *adapters.Spec) (*adapters.Info, error) {
	if len(spec.Ports) > 0 {
		return nil, unsupported("a server publishes no ports", "reach them with qs sandbox expose")
	}
	return a.admitted(ask(a, func(d dialect) (*sandbox, error) { return d.create(ctx, spec) }))
}

// Get describes one sandbox.
func (a *Adapter) Get(ctx context.Context, id string) (*adapters.Info, error) {
	return a.admitted(ask(a, func(d dialect) (*sandbox, error) { return d.get(ctx, id) }))
}

// admitted keeps what lets us into a sandbox.
func (a *Adapter) admitted(sb *sandbox, err error) (*adapters.Info, error) {
	if err != nil {
		return nil, err
	}
	a.passes.set(sb.info.ID, sb.pass)
	return &sb.info, nil
}

// List describes sandboxes of the key.
func (a *Adapter) List(ctx context.Context, filter adapters.Filter) ([]*adapters.Info, error) {
	if filter.Root == "" && !filter.AllRoots {
		return nil, nil
	}
	all, err := ask(a, func(d dialect) ([]*sandbox, error) { return d.list(ctx, filter) })
	if err != nil {
		return nil, err
	}
	var infos []*adapters.Info
	for _, sb := range all {
		a.passes.set(sb.info.ID, sb.pass)
		if selects(&filter, &sb.info) {
			infos = append(infos, &sb.info)
		}
	}
	return infos, nil
}

// Kill ends a sandbox.
func (a *Adapter) Kill(ctx context.Context, id string, opts adapters.KillOptions) error {
	err := tell(a, func(d dialect) error { return d.kill(ctx, id, opts) })
	if err == nil {
		a.passes.forget(id)
	}
	return err
}

// SetDeadline gives a sandbox a new idle timeout.
func (a *Adapter) SetDeadline(ctx context.Context, id string, idle time.Duration) error {
	return tell(a, func(d dialect) error { return d.setDeadline(ctx, id, idle) })
}

// Pause stops a sandbox where it is.
func (a *Adapter) Pause(ctx context.Context, id string) error {
	return tell(a, func(d dialect) error { return d.pause(ctx, id) })
}

// Resume lets a sandbox go on.
func (a *Adapter) Resume(ctx context.Context, id string) error {
	return tell(a, func(d dialect) error { return d.resume(ctx, id) })
}

// Rename gives a sandbox another name.
func (a *Adapter) Rename(ctx context.Context, id, name string) error {
	return tell(a, func(d dialect) error { return d.rename(ctx, id, name) })
}

// Snapshot keeps the files of a sandbox.
func (a *Adapter) Snapshot(ctx context.Context, id, name string) (*adapters.Snapshot, error) {
	return ask(a, func(d dialect) (*adapters.Snapshot, error) { return d.snapshot(ctx, id, name) })
}

// Snapshots lists those of the key.
func (a *Adapter) Snapshots(ctx context.Context) ([]*adapters.Snapshot, error) {
	return ask(a, func(d dialect) ([]*adapters.Snapshot, error) { return d.snapshots(ctx) })
}

// RemoveSnapshot removes one.
func (a *Adapter) RemoveSnapshot(ctx context.Context, name string) error {
	return tell(a, func(d dialect) error { return d.removeSnapshot(ctx, name) })
}

// Stats tells what the server has measured.
func (a *Adapter) Stats(ctx context.Context, id string) (*adapters.Stats, error) {
	return ask(a, func(d dialect) (*adapters.Stats, error) { return d.stats(ctx, id) })
}

// DefaultImage is E2B's default template, which every server has.
func (a *Adapter) DefaultImage() string { return "base" }

// Close gives back the idle connections.
func (a *Adapter) Close() error {
	a.server.close()
	return nil
}
