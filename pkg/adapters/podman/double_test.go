package podman

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// double is an engine that never was: just enough of Podman's API to see what
// the adapter makes of answers that a real engine gives seldom.
type double struct {
	t   *testing.T
	mux *http.ServeMux
	dir string // of the sandboxes' directories

	mu   sync.Mutex
	seen []string // requests, without version
}

const testID = "abc123"

// underTest is an adapter, and what tests want to know of it.
type underTest struct {
	*Adapter
	engine *engine
	root   string
	dirs   *statedir.Runtime
}

func newUnderTest(root string) *underTest {
	dirs := statedir.Open(root)
	cfg := adapters.Config{Root: root, Logger: hclog.NewNullLogger()}
	e := newEngine(cfg, filepath.Dir(dirs.Path()))
	return &underTest{over(cfg, e), e, root, dirs}
}

// client is one of the sandbox's agent.
func (a *underTest) client(id string) *agentclient.Client {
	rt, _ := a.Transport(context.Background(), id, adapters.AgentPort)
	return agentclient.New(rt)
}

// forkRepo is where the images of forks are.
func (a *underTest) forkRepo() string {
	return "localhost/quixand/fork/" + filepath.Base(a.dirs.Path())
}

// newDouble returns an engine and an adapter that is connected to it. Every
// call succeeds until on says otherwise.
func newDouble(t *testing.T) (*double, *underTest) {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("QS_AGENT", program) // any program does

	a := newUnderTest(t.TempDir())
	a.engine.host = quietHost{}
	d := &double{t: t, mux: http.NewServeMux(), dir: a.dirs.Path()}
	socket := d.serve()
	a.engine.locate = func() (endpoint, error) { return endpoint{sockets: []string{socket}}, nil }
	t.Cleanup(func() { a.Close() })
	return d, a
}

// serve answers at a socket, with a version that the adapter likes.
func (d *double) serve() string {
	socket := filepath.Join(d.t.TempDir(), "podman.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		d.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(d.handle)}
	go server.Serve(l)
	d.t.Cleanup(func() { server.Close() })
	return socket
}

func (d *double) handle(w http.ResponseWriter, r *http.Request) {
	_, path, _ := strings.Cut(r.URL.Path, "/libpod")
	r.URL.Path = path
	d.mu.Lock()
	d.seen = append(d.seen, r.Method+" "+path)
	d.mu.Unlock()
	if _, pattern := d.mux.Handler(r); pattern != "" {
		d.mux.ServeHTTP(w, r)
		return
	}
	io.Copy(io.Discard, r.Body)
	switch {
	case path == "/_ping":
		w.Header().Set("Libpod-API-Version", "5.8.6")
	case path == "/containers/create":
		answer(w, http.StatusCreated, map[string]any{"Id": "c1"})
	case path == "/containers/json", r.Method == http.MethodDelete:
		answer(w, http.StatusOK, []any{})
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// on answers one kind of request in its own way.
func (d *double) on(pattern string, h http.HandlerFunc) { d.mux.HandleFunc(pattern, h) }

// requests returns what the adapter has asked for, the ping aside.
func (d *double) requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.seen), func(s string) bool { return s == "GET /_ping" })
}

func (d *double) asked(request string) bool { return slices.Contains(d.requests(), request) }

// agentReady is a start after which an agent answers with h.
func (d *double) agentReady(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		dir := filepath.Join(d.dir, testID)
		l, err := net.Listen("unix", filepath.Join(dir, "new"))
		if err != nil {
			d.t.Error(err)
			return
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		server := &http.Server{Handler: h}
		go server.Serve(l)
		d.t.Cleanup(func() { server.Close() })
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, agentapi.SocketName)); err != nil {
			d.t.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func goodAgent(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, agentapi.Status{ID: testID, User: "user", Home: "/home/user", Workdir: "/workspace", Created: time.Now(), LastActive: time.Now()})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// says is the engine's way to fail.
func says(status int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		answer(w, status, map[string]any{"cause": message, "message": message, "response": status})
	}
}

// silent never answers; it ends when its client goes.
func silent(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// quietHost has nothing to limit with and nothing to hide.
type quietHost struct{}

func (quietHost) controllers() []string            { return nil }
func (quietHost) memoryKills() (int64, bool)       { return 0, false }
func (quietHost) addresses() ([]netip.Addr, error) { return nil, nil }
func (quietHost) freezer() bool                    { return true }
func (quietHost) ownedByRoot(string) bool          { return false }

func specOf(a *underTest) *adapters.Spec {
	return &adapters.Spec{
		ID: testID, Root: a.root, Image: "img", Workdir: "/workspace",
		IdleTimeout: time.Minute, Lifetime: adapters.NoTimeout,
		OnTimeout: adapters.TimeoutKill, Enforcers: []string{"agent"},
		Network: adapters.NetworkNone, Pull: adapters.PullMissing,
		Budgets: adapters.Budgets{Pull: time.Minute, Create: time.Minute, Start: time.Minute, Ready: time.Minute},
	}
}
