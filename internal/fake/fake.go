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
	mu    sync.Mutex
	boxes map[string]*box
}

// NewEngine returns an Engine without sandboxes. Close ends those it has then.
func NewEngine() *Engine { return &Engine{boxes: make(map[string]*box)} }

// Registry returns a registry with this engine's adapter alone, under [Name].
func (e *Engine) Registry() *adapters.Registry {
	r := new(adapters.Registry)
	r.Register(Name, e.Open)
	return r
}

// Open is an [adapters.Factory].
func (e *Engine) Open(adapters.Config) (adapters.Adapter, error) { return &Adapter{e}, nil }

// Close ends every sandbox.
func (e *Engine) Close() error {
	e.mu.Lock()
	boxes := slices.Collect(maps.Values(e.boxes))
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
		return &adapters.Error{Op: "create", Kind: adapters.ErrExists, Err: fmt.Errorf("sandbox %s exists", b.info.ID)}
	}
	e.boxes[b.info.ID] = b
	return nil
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

// Adapter drives an [Engine].
type Adapter struct {
	engine *Engine
}

var (
	_ adapters.Adapter = (*Adapter)(nil)
	_ adapters.Dialer  = (*Adapter)(nil)
)

// Create implements [adapters.Adapter]. The working directory is one of the
// fake's own, whatever the spec says: the spec's may not exist here, or hold
// something.
func (a *Adapter) Create(ctx context.Context, spec *adapters.Spec) (*adapters.Info, error) {
	if spec.Resources != (adapters.Resources{}) || len(spec.Ports) > 0 {
		return nil, &adapters.Error{Op: "create", Kind: adapters.ErrUnsupported, Err: errors.New("the fake has no limits and publishes no ports")}
	}
	begin := time.Now()
	b, err := newBox(spec)
	if err != nil {
		return nil, &adapters.Error{Op: "create", Phase: adapters.PhaseCreate, Kind: adapters.ErrInternal, Err: err}
	}
	if err := a.engine.add(b); err != nil {
		b.close()
		return nil, err
	}
	b.onEnd(func() { a.engine.remove(b) })
	if err := initialize(ctx, b, spec.Env); err != nil {
		a.engine.remove(b)
		return nil, &adapters.Error{Op: "create", Phase: adapters.PhaseReady, Kind: adapters.KindOf(err), Err: err}
	}
	for _, phase := range []adapters.Phase{adapters.PhaseCreate, adapters.PhaseStart, adapters.PhaseReady} {
		if spec.Progress != nil {
			spec.Progress(adapters.Progress{Phase: phase, Done: true, Elapsed: time.Since(begin)})
		}
	}
	return b.describe(), nil
}

func initialize(ctx context.Context, b *box, env map[string]string) error {
	rt := agentsock.Transport(b.sockets, adapters.AgentPort)
	defer rt.CloseIdleConnections()
	return agentclient.New(rt).Init(ctx, env)
}

// Get implements [adapters.Adapter].
func (a *Adapter) Get(_ context.Context, id string) (*adapters.Info, error) {
	b, err := a.engine.find(id)
	if err != nil {
		return nil, err
	}
	return b.describe(), nil
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
func (a *Adapter) Kill(_ context.Context, id string) error {
	b, err := a.engine.find(id)
	if err != nil {
		return err
	}
	a.engine.remove(b)
	return nil
}

// SetDeadline implements [adapters.Adapter].
func (a *Adapter) SetDeadline(ctx context.Context, id string, idle time.Duration) error {
	b, err := a.engine.find(id)
	if err != nil {
		return err
	}
	rt := agentsock.Transport(b.sockets, adapters.AgentPort)
	defer rt.CloseIdleConnections()
	_, err = agentclient.New(rt).SetTimeout(ctx, idle)
	return err
}

// Transport implements [adapters.Adapter].
func (a *Adapter) Transport(_ context.Context, id string, port int) (http.RoundTripper, error) {
	b, err := a.engine.find(id)
	if err != nil {
		return nil, err
	}
	return agentsock.Transport(b.sockets, port), nil
}

// DialPort implements [adapters.Dialer].
func (a *Adapter) DialPort(ctx context.Context, id string, port int) (net.Conn, error) {
	b, err := a.engine.find(id)
	if err != nil {
		return nil, err
	}
	return agentsock.DialPort(ctx, b.sockets, port)
}

// Close implements [adapters.Adapter]. Sandboxes live until the Engine is
// closed.
func (a *Adapter) Close() error { return nil }
