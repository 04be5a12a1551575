// Package fake is an engine without containers: its sandboxes are agents in
// this process, which run what they are told as the current user, in
// directories of their own below the temporary one.
//
// It exists for tests and examples of what is above the adapters. It isolates
// nothing, so never give it code that you would not run yourself; a network
// policy means nothing to it, and limits are refused.
package fake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/pkg/adapters"
)

// Name is the name of the adapter.
const Name = "fake"

// Engine holds the sandboxes of any number of adapters, as the service of a
// real engine does.
type Engine struct {
	mu        sync.Mutex
	boxes     map[string]*box
	snapshots map[snapshotKey]*snapshot
}

// NewEngine returns an Engine without sandboxes. Close ends those it has then.
func NewEngine() *Engine {
	return &Engine{boxes: make(map[string]*box), snapshots: make(map[snapshotKey]*snapshot)}
}

// Registry returns a registry with this engine's adapter alone, under [Name].
func (e *Engine) Registry() *adapters.Registry {
	r := new(adapters.Registry)
	r.Register(Name, e.Open)
	return r
}

// Open is an [adapters.Factory].
func (e *Engine) Open(cfg adapters.Config) (adapters.Adapter, error) {
	return &Adapter{engine: e, root: cfg.Root, pool: agentsock.NewPool(agentsock.Directories(e.sockets), nil)}, nil
}

// Close ends every sandbox and removes the snapshots.
func (e *Engine) Close() error {
	e.mu.Lock()
	boxes := slices.Collect(maps.Values(e.boxes))
	for _, s := range e.snapshots {
		_ = os.RemoveAll(s.dir)
	}
	clear(e.snapshots)
	e.mu.Unlock()
	for _, b := range boxes {
		e.remove(b)
	}
	return nil
}

func (e *Engine) add(b *box) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, taken := e.boxes[b.info.ID]; taken {
		return exists(b.info.ID)
	}
	if err := e.checkFree(b, b.info.Name); err != nil {
		return err
	}
	e.boxes[b.info.ID] = b
	return nil
}

// checkFree fails when another sandbox of the box's root has a name. The
// caller holds the lock.
func (e *Engine) checkFree(b *box, name string) error {
	for id, other := range e.boxes {
		if name != "" && other != b && other.info.Root == b.info.Root && (other.info.Name == name || id == name) {
			return exists(name)
		}
	}
	return nil
}

func exists(name string) error {
	return &adapters.Error{Kind: adapters.ErrExists, Err: fmt.Errorf("there is a sandbox %s already", name)}
}

func (e *Engine) find(id string) (*box, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, ok := e.boxes[id]
	if !ok {
		return nil, &adapters.Error{Kind: adapters.ErrNotFound, Err: fmt.Errorf("no sandbox %s", id)}
	}
	return b, nil
}

func (e *Engine) describe(b *box) *adapters.Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	return b.describe()
}

// Sockets is the directory of a sandbox's socket, for tests that reach its agent
// from another process.
func (e *Engine) Sockets(id string) (string, error) {
	b, err := e.find(id)
	if err != nil {
		return "", err
	}
	return b.sockets, nil
}

// remove forgets a sandbox and ends it: whoever loses the connection to it and
// asks is told that it is gone.
func (e *Engine) remove(b *box) {
	e.forget(b)
	b.close()
}

func (e *Engine) forget(b *box) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.boxes[b.info.ID] == b {
		delete(e.boxes, b.info.ID)
	}
}

// sockets is the directory of a sandbox's socket, or nothing that exists.
func (e *Engine) sockets(id string) string {
	dir, _ := e.Sockets(id)
	return dir
}

// Adapter drives an [Engine].
type Adapter struct {
	engine *Engine
	root   string
	pool   *agentsock.Pool
}

var (
	_ adapters.Adapter     = (*Adapter)(nil)
	_ adapters.Dialer      = (*Adapter)(nil)
	_ adapters.Renamer     = (*Adapter)(nil)
	_ adapters.Snapshotter = (*Adapter)(nil)
	_ adapters.Historian   = (*Adapter)(nil)
)

// Create implements [adapters.Adapter]. The working directory is one of the
// fake's own, whatever the spec says: the spec's may not exist here, or hold
// something.
func (a *Adapter) Create(ctx context.Context, spec *adapters.Spec) (*adapters.Info, error) {
	if spec.Resources != (adapters.Resources{}) || len(spec.Ports) > 0 {
		return nil, &adapters.Error{
			Op: "create", Kind: adapters.ErrUnsupported,
			Err:  errors.New("the fake enforces no limits and publishes no ports"),
			Hint: "ask for neither, or use an engine",
		}
	}
	if spec.Sudo || spec.User != "" {
		return nil, &adapters.Error{
			Op: "create", Kind: adapters.ErrUnsupported,
			Err:  errors.New("the fake runs all code as the current user"),
			Hint: "ask for no user and no sudo, or use an engine",
		}
	}
	var b *box
	err := a.engine.phases(
		ctx, spec,
		step{adapters.PhaseCreate, spec.Budgets.Create, func(context.Context) (err error) {
			if b, err = newBox(spec); err != nil {
				return err
			}
			return a.fill(b, spec)
		}},
		step{adapters.PhaseStart, spec.Budgets.Start, func(context.Context) error { return b.start(spec) }},
		step{adapters.PhaseReady, spec.Budgets.Ready, func(ctx context.Context) error {
			if err := a.engine.add(b); err != nil {
				return err
			}
			return a.client(spec.ID).Init(ctx, spec.Env)
		}},
	)
	if err != nil {
		if b != nil {
			a.engine.remove(b)
		}
		return nil, err
	}
	go func() {
		<-b.served // at its deadline, or by Kill
		a.engine.remove(b)
	}()
	return a.engine.describe(b), nil
}

// step is one phase of a creation.
type step struct {
	phase  adapters.Phase
	budget time.Duration
	do     func(context.Context) error
}

// phases goes through the steps, each within its budget.
func (e *Engine) phases(ctx context.Context, spec *adapters.Spec, steps ...step) error {
	for _, s := range steps {
		begin := time.Now()
		bounded, cancel := context.WithTimeout(ctx, s.budget)
		err := s.do(bounded)
		if err == nil {
			err = bounded.Err()
		}
		cancel()
		if err != nil {
			return phaseError(s.phase, err)
		}
		if spec.Progress != nil {
			spec.Progress(adapters.Progress{Phase: s.phase, Done: true, Elapsed: time.Since(begin)})
		}
	}
	return ctx.Err()
}

func phaseError(phase adapters.Phase, err error) error {
	e := &adapters.Error{Op: "create", Phase: phase, Kind: adapters.KindOf(err), Err: err}
	if e.Kind == nil && !errors.Is(err, context.Canceled) {
		e.Kind = adapters.ErrInternal
	}
	return e
}

func (a *Adapter) client(id string) *agentclient.Client {
	return agentclient.New(a.pool.Transport(id, adapters.AgentPort))
}

// Get implements [adapters.Adapter].
func (a *Adapter) Get(_ context.Context, id string) (*adapters.Info, error) {
	b, err := a.engine.find(id)
	if err != nil {
		return nil, err
	}
	return a.engine.describe(b), nil
}

// List implements [adapters.Adapter].
func (a *Adapter) List(_ context.Context, filter adapters.Filter) ([]*adapters.Info, error) {
	a.engine.mu.Lock()
	defer a.engine.mu.Unlock()
	var infos []*adapters.Info
	for _, b := range a.engine.boxes {
		if info := b.describe(); selects(filter, info) {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b *adapters.Info) int { return b.Created.Compare(a.Created) })
	return infos, nil
}

func selects(f adapters.Filter, info *adapters.Info) bool {
	if !f.AllRoots && info.Root != f.Root {
		return false
	}
	if f.States != nil && !slices.Contains(f.States, info.State) {
		return false
	}
	for k, v := range f.Metadata {
		if got, ok := info.Metadata[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// Kill implements [adapters.Adapter].
func (a *Adapter) Kill(_ context.Context, id string, opts adapters.KillOptions) error {
	b, err := a.engine.find(id)
	if err != nil {
		return err
	}
	if err := b.buryKilled(opts); err != nil {
		return err
	}
	a.engine.remove(b)
	return nil
}

// Rename implements [adapters.Renamer].
func (a *Adapter) Rename(_ context.Context, id, name string) error {
	b, err := a.engine.find(id)
	if err != nil {
		return err
	}
	a.engine.mu.Lock()
	defer a.engine.mu.Unlock()
	if err := a.engine.checkFree(b, name); err != nil {
		return err
	}
	b.info.Name = name
	return nil
}

// SetDeadline implements [adapters.Adapter].
func (a *Adapter) SetDeadline(ctx context.Context, id string, idle time.Duration) error {
	_, err := a.client(id).SetTimeout(ctx, idle)
	return err
}

// Transport implements [adapters.Adapter].
func (a *Adapter) Transport(_ context.Context, id string, port int) (http.RoundTripper, error) {
	return a.pool.Transport(id, port), nil
}

// DialPort implements [adapters.Dialer].
func (a *Adapter) DialPort(ctx context.Context, id string, port int) (net.Conn, error) {
	return a.pool.DialPort(ctx, id, port)
}

// Close implements [adapters.Adapter]. Sandboxes live until the Engine is
// closed.
func (a *Adapter) Close() error {
	a.pool.Close()
	return nil
}
