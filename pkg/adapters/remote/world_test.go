package remote

import (
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/internal/fake"
	serve "github.com/quixand/quixand/internal/server"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// world is a server on an engine without containers, and clients of it.
type world struct {
	*testing.T
	http *httptest.Server
	keys *apikeys.Store
	key  string
}

// newWorld starts a server; with TLS it speaks HTTP/2, too.
func newWorld(t *testing.T, tls bool) *world {
	t.Helper()
	engine, root := fake.NewEngine(), t.TempDir()
	host, err := quixand.New(&quixand.Config{Adapter: fake.Name, Registry: engine.Registry(), Root: root, Enforcer: "agent"})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := serve.Secret(root)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, keys: apikeys.Open(root)}
	w.key = w.newKey(apikeys.Limits{})
	w.http = httptest.NewUnstartedServer(serve.New(serve.Config{Client: host, Keys: w.keys, Secret: secret}))
	if tls {
		w.http.EnableHTTP2 = true
		w.http.StartTLS()
	} else {
		w.http.Start()
	}
	t.Cleanup(func() {
		w.http.CloseClientConnections()
		w.http.Close()
		_ = host.Close()
		_ = engine.Close()
	})
	return w
}

func (w *world) newKey(limits apikeys.Limits) string {
	w.Helper()
	key, _, err := w.keys.Create(w.Context(), "", limits)
	if err != nil {
		w.Fatal(err)
	}
	return key
}

// adapterAt is an adapter that finds the server at a URL.
func (w *world) adapterAt(at, key string) *Adapter {
	w.Helper()
	env := func(name string) string { return map[string]string{urlVariable: at, keyVariable: key}[name] }
	a, err := open(adapters.Config{Root: "/home/of/a/client", Logger: hclog.NewNullLogger()}, env)
	if err != nil {
		w.Fatal(err)
	}
	if cert := w.http.Certificate(); cert != nil {
		pool := x509.NewCertPool()
		pool.AddCert(cert)
		a.server.http.TLSClientConfig.RootCAs, a.server.plain.TLSClientConfig.RootCAs = pool, pool
	}
	w.Cleanup(func() { _ = a.Close() })
	return a
}

// client is the library's on such an adapter.
func (w *world) client(a *Adapter) *quixand.Client {
	w.Helper()
	w.Setenv("QS_ENFORCER", "")
	registry := new(adapters.Registry)
	registry.Register(Name, func(adapters.Config) (adapters.Adapter, error) { return a, nil })
	c, err := quixand.New(&quixand.Config{Adapter: Name, Registry: registry, Root: a.root})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) count(a *Adapter) int {
	w.Helper()
	all, err := a.List(w.Context(), adapters.Filter{AllRoots: true})
	if err != nil {
		w.Fatal(err)
	}
	return len(all)
}

// cutter is a network between client and server that breaks connections.
type cutter struct {
	net.Listener
	to string

	mu   sync.Mutex
	cuts []int64 // bytes of the server's after which the next connections end
	all  int64   // bytes after which all others do; zero is never
	made int     // connections
}

// network puts a cutter before the world's server, and returns its URL, too.
func (w *world) network() (*cutter, string) {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	u, _ := url.Parse(w.http.URL)
	c := &cutter{Listener: l, to: u.Host}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { c.pass(conn.(*net.TCPConn)) })
		}
	})
	w.Cleanup(func() {
		l.Close()
		w.http.CloseClientConnections()
		open.Wait()
	})
	u.Host = l.Addr().String()
	return c, u.String()
}

// next is after how many bytes a new connection ends.
func (c *cutter) next() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	if len(c.cuts) == 0 {
		return c.all
	}
	n := c.cuts[0]
	c.cuts = c.cuts[1:]
	return n
}

func (c *cutter) set(all int64, cuts ...int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all, c.cuts = all, cuts
}

func (c *cutter) connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

func (c *cutter) pass(client *net.TCPConn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	from := io.Reader(server)
	if n := c.next(); n > 0 {
		from = io.LimitReader(server, n)
		defer client.SetLinger(0) // a reset, not an end
	}
	_, _ = io.Copy(client, from)
	_ = client.CloseWrite()
}

// answers is a server that answers with each of its handlers in turn, and with the
// last one for ever.
func answers(t *testing.T, handlers ...http.HandlerFunc) (a *Adapter, asked func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[min(n, len(handlers)-1)]
		n++
		mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return (&world{T: t, http: s}).adapterAt(s.URL, "key"), func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

func spec() *adapters.Spec {
	const enough = time.Minute
	return &adapters.Spec{
		ID: "a1b2c3", Image: "base", Workdir: "/workspace", IdleTimeout: time.Minute, Lifetime: adapters.NoTimeout,
		OnTimeout: adapters.TimeoutKill, Network: adapters.NetworkBridge, Pull: adapters.PullMissing,
		Budgets: adapters.Budgets{Pull: enough, Create: enough, Start: enough, Ready: enough},
	}
}
