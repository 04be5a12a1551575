package cli

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// The scripts run qs as a process of its own. So the fake engine gets what a
// real one has: a socket for lifecycles, and for each sandbox a directory that
// leads to its agent without the engine.

// engineSocket is the variable that tells qs where the engine is.
const engineSocket = "QS_TEST_ENGINE"

// engineServer serves a fake.Engine on a socket, in the test's process.
type engineServer struct {
	engine   *fake.Engine
	adapter  adapters.Adapter
	listener net.Listener
}

func serveEngine(socket, root string) (*engineServer, error) {
	s := &engineServer{engine: fake.NewEngine()}
	var err error
	if s.adapter, err = s.engine.Open(adapters.Config{Root: root}); err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("unix", socket); err != nil {
		return nil, err
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Engine", &engineMethods{s}); err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(conn)
		}
	}()
	return s, nil
}

// stop makes the engine unreachable; its sandboxes live on.
func (s *engineServer) stop() { s.listener.Close() }

func (s *engineServer) close() {
	s.stop()
	s.engine.Close()
}

// engineMethods are the calls that qs makes.
type engineMethods struct{ *engineServer }

// EngineDeadline is the argument of SetDeadline; net/rpc wants it exported.
type EngineDeadline struct {
	ID   string
	Idle time.Duration
}

// EngineName is the argument of Rename and of Snapshot.
type EngineName struct{ ID, Name string }

// EngineReply carries an error as well as a result: net/rpc keeps only its text.
type EngineReply struct {
	Info    *adapters.Info
	Infos   []*adapters.Info
	Ended   []*adapters.Ended
	Sockets string // of a new sandbox

	Snapshots []*adapters.Snapshot

	Failed           bool
	Phase            adapters.Phase
	Kind, Text, Hint string
}

var kinds = []error{
	adapters.ErrNotFound, adapters.ErrExists, adapters.ErrInvalid, adapters.ErrPermission, adapters.ErrTimeout,
	adapters.ErrExhausted, adapters.ErrConflict, adapters.ErrUnsupported, adapters.ErrUnavailable, adapters.ErrInternal,
}

func (r *EngineReply) fail(err error) {
	if err == nil {
		return
	}
	r.Failed, r.Text = true, err.Error()
	if e, ok := errors.AsType[*adapters.Error](err); ok {
		r.Phase, r.Kind, r.Hint = e.Phase, e.Kind.Error(), e.Hint
		if e.Err != nil {
			r.Text = e.Err.Error()
		}
	}
}

func (r *EngineReply) err() error {
	if !r.Failed {
		return nil
	}
	e := &adapters.Error{Phase: r.Phase, Kind: adapters.ErrInternal, Hint: r.Hint, Err: errors.New(r.Text)}
	for _, k := range kinds {
		if k.Error() == r.Kind {
			e.Kind = k
		}
	}
	return e
}

func (s *engineMethods) Create(spec *adapters.Spec, r *EngineReply) error {
	var err error
	if spec.Image == "missing" {
		err = &adapters.Error{
			Phase: adapters.PhasePull, Kind: adapters.ErrNotFound,
			Err: errors.New("image not known"), Hint: "podman pull IMAGE",
		}
	} else {
		r.Info, err = s.adapter.Create(context.Background(), spec)
	}
	if err == nil {
		r.Sockets, err = s.engine.Sockets(spec.ID)
	}
	r.fail(err)
	return nil
}

func (s *engineMethods) Get(id string, r *EngineReply) error {
	var err error
	r.Info, err = s.adapter.Get(context.Background(), id)
	r.fail(err)
	return nil
}

func (s *engineMethods) List(f adapters.Filter, r *EngineReply) error {
	var err error
	r.Infos, err = s.adapter.List(context.Background(), f)
	r.fail(err)
	return nil
}

// EngineKill is the argument of Kill.
type EngineKill struct {
	ID   string
	Opts adapters.KillOptions
}

func (s *engineMethods) Kill(k EngineKill, r *EngineReply) error {
	r.fail(s.adapter.Kill(context.Background(), k.ID, k.Opts))
	return nil
}

// EngineEnded is the argument of Ended.
type EngineEnded struct {
	Root, ID  string
	Wait, All bool
}

func (s *engineMethods) Ended(q EngineEnded, r *EngineReply) error {
	a, err := s.engine.Open(adapters.Config{Root: q.Root})
	if err != nil {
		return err
	}
	defer a.Close()
	h := a.(adapters.Historian)
	var e *adapters.Ended
	switch {
	case q.All:
		r.Ended, err = h.AllEnded(context.Background())
	case q.Wait:
		e, err = h.AwaitEnded(context.Background(), q.ID)
	default:
		e, err = h.Ended(context.Background(), q.ID)
	}
	if e != nil {
		r.Ended = []*adapters.Ended{e}
	}
	r.fail(err)
	return nil
}

func (s *engineMethods) SetDeadline(d EngineDeadline, r *EngineReply) error {
	r.fail(s.adapter.SetDeadline(context.Background(), d.ID, d.Idle))
	return nil
}

func (s *engineMethods) Rename(n EngineName, r *EngineReply) error {
	r.fail(s.adapter.(adapters.Renamer).Rename(context.Background(), n.ID, n.Name))
	return nil
}

func (s *engineMethods) Snapshot(n EngineName, r *EngineReply) error {
	snap, err := s.adapter.(adapters.Snapshotter).Snapshot(context.Background(), n.ID, n.Name)
	r.Snapshots = []*adapters.Snapshot{snap}
	if err != nil {
		r.Snapshots = nil
	}
	r.fail(err)
	return nil
}

func (s *engineMethods) ListSnapshots(_ string, r *EngineReply) error {
	var err error
	r.Snapshots, err = s.adapter.(adapters.Snapshotter).Snapshots(context.Background())
	r.fail(err)
	return nil
}

func (s *engineMethods) RemoveSnapshot(name string, r *EngineReply) error {
	r.fail(s.adapter.(adapters.Snapshotter).RemoveSnapshot(context.Background(), name))
	return nil
}

// engineClient is the adapter of that engine, in the process of qs.
type engineClient struct {
	socket  string
	root    string
	runtime *statedir.Runtime
}

var (
	_ adapters.Adapter     = (*engineClient)(nil)
	_ adapters.Dialer      = (*engineClient)(nil)
	_ adapters.Resolver    = (*engineClient)(nil)
	_ adapters.Checker     = (*engineClient)(nil)
	_ adapters.Renamer     = (*engineClient)(nil)
	_ adapters.Snapshotter = (*engineClient)(nil)
	_ adapters.Historian   = (*engineClient)(nil)
)

func openEngine(cfg adapters.Config) (adapters.Adapter, error) {
	return &engineClient{os.Getenv(engineSocket), cfg.Root, statedir.Open(cfg.Root)}, nil
}

func (c *engineClient) call(method string, arg any) (*EngineReply, error) {
	client, err := rpc.Dial("unix", c.socket)
	if err != nil {
		return nil, &adapters.Error{Kind: adapters.ErrUnavailable, Err: errors.New("the engine does not answer"), Hint: "start it"}
	}
	defer client.Close()
	r := new(EngineReply)
	if err := client.Call("Engine."+method, arg, r); err != nil {
		return nil, err
	}
	return r, r.err()
}

func (c *engineClient) Create(_ context.Context, spec *adapters.Spec) (*adapters.Info, error) {
	progress := spec.Progress
	spec.Progress = nil
	r, err := c.call("Create", spec)
	if err != nil {
		return nil, err
	}
	if err := c.link(spec.ID, r.Sockets); err != nil {
		return nil, err
	}
	if err := c.runtime.SetName(spec.ID, spec.Name); err != nil {
		return nil, err
	}
	for _, phase := range phases {
		if progress == nil {
			break
		}
		progress(adapters.Progress{Phase: phase, Message: "half\x1b[2Jway"})
		progress(adapters.Progress{Phase: phase, Done: true, Elapsed: time.Millisecond})
	}
	return r.Info, nil
}

var phases = []adapters.Phase{adapters.PhasePull, adapters.PhaseCreate, adapters.PhaseStart, adapters.PhaseReady}

// link leads from the sandbox's directory to its socket.
func (c *engineClient) link(id, sockets string) error {
	claim, err := c.runtime.Create(id)
	if err != nil {
		return err
	}
	defer claim.Release()
	return os.Symlink(sockets, filepath.Join(c.runtime.Sandbox(id), "sockets"))
}

func (c *engineClient) Get(_ context.Context, id string) (*adapters.Info, error) {
	r, err := c.call("Get", id)
	if err != nil {
		return nil, err
	}
	return r.Info, nil
}

func (c *engineClient) List(_ context.Context, f adapters.Filter) ([]*adapters.Info, error) {
	r, err := c.call("List", f)
	if err != nil {
		return nil, err
	}
	return r.Infos, nil
}

func (c *engineClient) Kill(_ context.Context, id string, opts adapters.KillOptions) error {
	if _, err := c.call("Kill", EngineKill{id, opts}); err != nil {
		return err
	}
	return os.RemoveAll(c.runtime.Sandbox(id))
}

func (c *engineClient) SetDeadline(_ context.Context, id string, idle time.Duration) error {
	_, err := c.call("SetDeadline", EngineDeadline{id, idle})
	return err
}

func (c *engineClient) Rename(_ context.Context, id, name string) error {
	if _, err := c.call("Rename", EngineName{id, name}); err != nil {
		return err
	}
	return c.runtime.SetName(id, name)
}

func (c *engineClient) Ended(_ context.Context, id string) (*adapters.Ended, error) {
	return c.ended(EngineEnded{Root: c.root, ID: id})
}

func (c *engineClient) AwaitEnded(_ context.Context, id string) (*adapters.Ended, error) {
	return c.ended(EngineEnded{Root: c.root, ID: id, Wait: true})
}

func (c *engineClient) ended(q EngineEnded) (*adapters.Ended, error) {
	r, err := c.call("Ended", q)
	if err != nil {
		return nil, err
	}
	return r.Ended[0], nil
}

func (c *engineClient) AllEnded(context.Context) ([]*adapters.Ended, error) {
	r, err := c.call("Ended", EngineEnded{Root: c.root, All: true})
	if err != nil {
		return nil, err
	}
	return r.Ended, nil
}

func (c *engineClient) Snapshot(_ context.Context, id, name string) (*adapters.Snapshot, error) {
	r, err := c.call("Snapshot", EngineName{id, name})
	if err != nil {
		return nil, err
	}
	return r.Snapshots[0], nil
}

func (c *engineClient) Snapshots(context.Context) ([]*adapters.Snapshot, error) {
	r, err := c.call("ListSnapshots", "")
	if err != nil {
		return nil, err
	}
	return r.Snapshots, nil
}

func (c *engineClient) RemoveSnapshot(_ context.Context, name string) error {
	_, err := c.call("RemoveSnapshot", name)
	return err
}

// sockets finds the way to an agent without the engine.
func (c *engineClient) sockets(id string) (string, error) {
	dir, err := os.Readlink(filepath.Join(c.runtime.Sandbox(id), "sockets"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", &adapters.Error{Kind: adapters.ErrNotFound, Err: errors.New("no such sandbox")}
	}
	return dir, err
}

func (c *engineClient) Transport(_ context.Context, id string, port int) (http.RoundTripper, error) {
	dir, err := c.sockets(id)
	if err != nil {
		return nil, err
	}
	return agentsock.Transport(dir, port), nil
}

func (c *engineClient) DialPort(ctx context.Context, id string, port int) (net.Conn, error) {
	dir, err := c.sockets(id)
	if err != nil {
		return nil, err
	}
	return agentsock.DialPort(ctx, dir, port)
}

func (c *engineClient) Resolve(prefix string) (string, bool, error) {
	ids, err := c.runtime.IDs()
	if err != nil {
		return "", false, err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return !strings.HasPrefix(id, prefix) })
	switch len(ids) {
	case 0:
		return "", false, nil
	case 1:
		return ids[0], true, nil
	}
	return "", false, &adapters.Error{Kind: adapters.ErrInvalid, Err: errors.New("ambiguous id"), Hint: strings.Join(ids, "\n")}
}

// Check finds what QS_TEST_CHECK says.
func (c *engineClient) Check(context.Context) []adapters.Check {
	checks := []adapters.Check{{Name: "engine", Status: adapters.CheckOK, Detail: "fake\x1b[31m"}}
	if cure := os.Getenv("QS_TEST_CURE"); cure != "" {
		checks = append(checks, adapters.Check{Name: "subuid", Status: adapters.CheckFail, Detail: "none", Cure: cure})
	}
	return checks
}

func (c *engineClient) Close() error { return nil }
