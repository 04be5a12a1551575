package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/agent/access"
	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// cloud answers as E2B's API was seen to, for one sandbox.
type cloud struct {
	*httptest.Server
	mu      sync.Mutex
	calls   []string // method, path and query
	bodies  []string
	created map[string]any // what was asked for last
	state   string
	deaf    bool // creations happen, and are not answered
}

const cloudSandbox = `"sandboxID":"isqxl9z1k6y8p0q7b3c2d","templateID":"base","clientID":"6532622b","envdVersion":"0.6.13"`

func newCloud(t *testing.T) *cloud {
	c := &cloud{state: "running"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/sandboxes", c.create)
	mux.HandleFunc("GET /v2/sandboxes", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("nextToken") == "" && r.URL.Query().Get("metadata") == "" {
			w.Header().Set("X-Next-Token", "second")
		}
		if c.created == nil {
			answerJSON(w, 200, `[]`)
			return
		}
		answerJSON(w, 200, "["+c.detail("")+"]")
	})
	mux.HandleFunc("GET /sandboxes/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "isqxl9z1k6y8p0q7b3c2d" {
			answerJSON(w, 404, `{"code":404,"message":"sandbox \"x\" not found"}`)
			return
		}
		answerJSON(w, 200, c.detail(`,"envdAccessToken":"agent-token","domain":null,"allowInternetAccess":false,"network":{},"lifecycle":{"onTimeout":"pause","autoResume":false}`))
	})
	mux.HandleFunc("POST /sandboxes/{id}/pause", func(w http.ResponseWriter, _ *http.Request) {
		if c.state == "paused" {
			answerJSON(w, 409, `{"code":409,"message":"sandbox is already paused"}`)
			return
		}
		c.state = "paused"
		w.WriteHeader(204)
	})
	mux.HandleFunc("POST /v2/sandboxes/{id}/connect", func(w http.ResponseWriter, _ *http.Request) {
		c.state = "running"
		answerJSON(w, 201, "{"+cloudSandbox+"}")
	})
	mux.HandleFunc("GET /sandboxes/{id}/metrics", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, 200, `[{"timestamp":"2026-01-02T03:04:05Z","timestampUnix":1767323045,"cpuCount":2,"cpuUsedPct":1.5,"memUsed":7,"memTotal":8,"memCache":1,"diskUsed":9,"diskTotal":10}]`)
	})
	mux.HandleFunc("POST /sandboxes/{id}/fork", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, 201, `[{"error":{"code":429,"message":"too many"}}]`)
	})
	mux.HandleFunc("POST /sandboxes/{id}/snapshots", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, 201, `{"snapshotID":"team/snap:default","names":["team/snap"]}`)
	})
	mux.HandleFunc("GET /snapshots", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, 200, `[{"snapshotID":"team/snap:default","names":["team/snap"]}]`)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get(serverapi.HeaderSandbox) != "" && r.URL.Path == "/health":
			w.WriteHeader(204)
		case r.Header.Get(serverapi.HeaderSandbox) != "":
			answerJSON(w, 502, `{"sandboxId":"isqxl9z1k6y8p0q7b3c2d","message":"The sandbox was not found","code":502}`)
		case r.Method == http.MethodDelete, strings.HasSuffix(r.URL.Path, "/timeout"):
			w.WriteHeader(204)
		default:
			answerJSON(w, 404, `{"code":404,"message":"no matching operation was found"}`)
		}
	})
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		c.calls = append(c.calls, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("X-Api-Key")+r.Header.Get(access.Header))
		c.bodies = append(c.bodies, string(body))
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) create(w http.ResponseWriter, r *http.Request) {
	c.created = nil
	_ = json.NewDecoder(r.Body).Decode(&c.created)
	if c.deaf {
		c.deaf = false
		panic(http.ErrAbortHandler)
	}
	answerJSON(w, 201, "{"+cloudSandbox+`,"alias":"base","domain":null,"envdAccessToken":"agent-token","trafficAccessToken":null}`)
}

// detail is SandboxDetail, or with no more fields ListedSandbox.
func (c *cloud) detail(more string) string {
	metadata, _ := json.Marshal(c.created["metadata"])
	now := time.Now().UTC()
	return fmt.Sprintf(`{%s,"startedAt":%q,"endAt":%q,"cpuCount":2,"memoryMB":512,"diskSizeMB":1024,"state":%q,"metadata":%s%s}`,
		cloudSandbox, now.Format(time.RFC3339Nano), now.Add(time.Minute).Format(time.RFC3339Nano), c.state, metadata, more)
}

func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (c *cloud) count(prefix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range c.calls {
		if strings.HasPrefix(call, prefix) {
			n++
		}
	}
	return n
}

func (c *cloud) last() (call, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[len(c.calls)-1], c.bodies[len(c.bodies)-1]
}

func (c *cloud) asked() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.created
}

func (c *cloud) adapter(t *testing.T) *Adapter {
	t.Helper()
	env := map[string]string{urlVariable: c.URL, keyVariable: "e2b_key"}
	a, err := open(adapters.Config{Root: "/a/root", Logger: hclog.NewNullLogger()}, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// TestE2B goes through the life of a sandbox with recorded shapes of E2B's answers.
func TestE2B(t *testing.T) {
	c := newCloud(t)
	a, ctx := c.adapter(t), t.Context()
	s := spec()
	s.Metadata, s.Env, s.OnTimeout, s.Network = map[string]string{"k": "v"}, map[string]string{"E": "1"}, adapters.TimeoutPause, adapters.NetworkNone
	s.Workdir = "/srv"
	info, err := a.Create(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	if info.ID != "isqxl9z1k6y8p0q7b3c2d" || info.Root != "/a/root" || info.Workdir != "/srv" || info.Metadata["k"] != "v" || len(info.Metadata) != 1 ||
		info.Network != adapters.NetworkNone || info.OnTimeout != adapters.TimeoutPause || info.IdleTimeout != time.Minute {
		t.Errorf("%+v", info)
	}
	if got := fmt.Sprint(c.asked()["templateID"], c.created["timeout"], c.created["autoPause"], c.created["allow_internet_access"], c.created["envVars"]); got != "base60 true false map[E:1]" {
		t.Errorf("asked for %s", got)
	}
	if c.count("GET /quixand")+c.count("POST /quixand") != 1 {
		t.Errorf("asked as a Quixand more than once: %q", c.calls)
	}
	if all, err := a.List(ctx, adapters.Filter{Root: "/a/root"}); err != nil || len(all) != 2 { // two pages of one
		t.Errorf("%v, %v", all, err)
	}
	if all, err := a.List(ctx, adapters.Filter{Root: "/another"}); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	expect(t, nil, a.SetDeadline(ctx, info.ID, 1500*time.Millisecond))
	if _, got := c.last(); got != `{"timeout":2}` {
		t.Errorf("a timeout of %s", got)
	}
	expect(t, nil, a.Pause(ctx, info.ID))
	expect(t, adapters.ErrConflict, a.Pause(ctx, info.ID))
	expect(t, nil, a.Resume(ctx, info.ID))
	expect(t, adapters.ErrConflict, a.Resume(ctx, info.ID))
	stats, err := a.Stats(ctx, info.ID)
	if err != nil || stats.MemoryBytes != 7 || stats.DiskBytes != 9 {
		t.Errorf("%+v, %v", stats, err)
	}
	snap, err := a.Snapshot(ctx, info.ID, "snap")
	if err != nil || snap.Name != "team/snap:default" {
		t.Errorf("%+v, %v", snap, err)
	}
	expect(t, nil, a.RemoveSnapshot(ctx, snap.Name))
	if c.count("DELETE /templates/team%2Fsnap:default ") != 1 {
		t.Errorf("%q", c.calls)
	}
	s.Fork = info.ID
	_, err = a.Create(ctx, s)
	expect(t, adapters.ErrExhausted, err)
	expect(t, nil, a.Kill(ctx, info.ID, adapters.KillOptions{}))
	_, err = a.Get(ctx, "x")
	expect(t, adapters.ErrNotFound, err)
}

func expect(t *testing.T, want, err error) {
	t.Helper()
	if !errors.Is(err, want) || (want == nil) != (err == nil) {
		t.Errorf("%v, not %v", err, want)
	}
}

// TestE2BHasOneSandbox although the answer to its creation was lost.
func TestE2BHasOneSandbox(t *testing.T) {
	c := newCloud(t)
	c.deaf = true
	a := c.adapter(t)
	a.foreign.Store(true)
	info, err := a.Create(t.Context(), spec())
	if err != nil || info.ID != "isqxl9z1k6y8p0q7b3c2d" {
		t.Fatal(info, err)
	}
	if n := c.count("POST /v2/sandboxes"); n != 1 {
		t.Errorf("created %d times", n)
	}
	if n := c.count("GET /v2/sandboxes?metadata=quixand.call%253D"); n != 1 {
		t.Errorf("%q", c.calls)
	}
}

// TestE2BLacks what is refused, and not left out in silence.
func TestE2BLacks(t *testing.T) {
	c := newCloud(t)
	a, ctx := c.adapter(t), t.Context()
	for name, change := range map[string]func(*adapters.Spec){
		"name":      func(s *adapters.Spec) { s.Name = "n" },
		"ephemeral": func(s *adapters.Spec) { s.Ephemeral = true },
		"timeout":   func(s *adapters.Spec) { s.IdleTimeout = adapters.NoTimeout },
		"lifetime":  func(s *adapters.Spec) { s.Lifetime = time.Hour },
		"limits":    func(s *adapters.Spec) { s.Resources.CPUs = 1 },
		"ports":     func(s *adapters.Spec) { s.Ports = []adapters.PortMapping{{Port: 1}} },
	} {
		s := spec()
		change(s)
		if _, err := a.Create(ctx, s); !errors.Is(err, adapters.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	info, err := a.Create(ctx, spec())
	if err != nil {
		t.Fatal(err)
	}
	expect(t, adapters.ErrUnsupported, a.Rename(ctx, info.ID, "n"))
	_, err = a.Ended(ctx, info.ID)
	expect(t, adapters.ErrUnsupported, err)
	_, err = a.DialPort(ctx, info.ID, 80)
	expect(t, adapters.ErrUnsupported, err)
	for _, err := range a.Events(ctx, time.Time{}) {
		expect(t, adapters.ErrUnsupported, err)
	}
}

// TestE2BDataPlane sends tokens where they belong, and reads the proxy's errors.
func TestE2BDataPlane(t *testing.T) {
	c := newCloud(t)
	a, ctx := c.adapter(t), t.Context()
	info, err := a.Create(ctx, spec())
	if err != nil {
		t.Fatal(err)
	}
	rt, _ := a.Transport(ctx, info.ID, adapters.AgentPort)
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/health", nil)
	res, err := rt.RoundTrip(req)
	if err != nil || res.StatusCode != 204 {
		t.Fatal(res, err)
	}
	res.Body.Close()
	if got, _ := c.last(); got != "GET /health agent-token" {
		t.Errorf("%s: a token too many, or one too few", got)
	}
	status, err := agentclient.New(rt).Status(ctx)
	if err != nil || status.ID != info.ID || !status.Fixed || status.Deadline.IsZero() {
		t.Errorf("%+v, %v", status, err)
	}
	_, err = agentclient.New(rt).Processes(ctx)
	expect(t, adapters.ErrNotFound, err)
	for at, want := range map[string]string{
		"https://api.e2b.app":        "https://sandbox.e2b.app",
		"https://e2b.example":        "https://49983-x.sandboxes.example",
		"http://127.0.0.1:3000/base": "http://127.0.0.1:3000/base",
	} {
		env := map[string]string{urlVariable: at, keyVariable: "k"}
		a, err := open(adapters.Config{}, func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		domain := ""
		if at == "https://e2b.example" {
			domain = "sandboxes.example"
		}
		to := a.e2b.dataPlane("x", adapters.AgentPort, pass{domain: domain})
		if got := to.base.String(); got != want || a.foreign.Load() != strings.HasSuffix(at, ".e2b.app") {
			t.Errorf("%s: %s", at, got)
		}
	}
}
