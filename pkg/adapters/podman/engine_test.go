package podman

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

func TestEngineVersions(t *testing.T) {
	for version, supported := range map[string]bool{
		"3.4.4": false, "4.0.0": false, "4.2.9": false, "4.3.0": true, "4.9.4": true, "5.8.6": true, "5.99.0": true, "6.0.0": false,
	} {
		d, a := newDouble(t)
		d.on("GET /_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Libpod-API-Version", version) })
		_, err := a.List(t.Context(), adapters.Filter{Root: a.root})
		if (err == nil) != supported {
			t.Errorf("version %s: %v", version, err)
		}
		if err != nil && !errors.Is(err, adapters.ErrUnsupported) {
			t.Errorf("version %s: kind %v", version, adapters.KindOf(err))
		}
	}
}

// An engine that is not there today may be there tomorrow, and the other way
// round; the adapter outlives both.
func TestEngineComesAndGoes(t *testing.T) {
	d, a := newDouble(t)
	at, err := a.engine.locate()
	if err != nil {
		t.Fatal(err)
	}
	socket, away := at.sockets[0], at.sockets[0]+".away"
	list := func() error {
		_, err := a.List(t.Context(), adapters.Filter{Root: a.root})
		return err
	}
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	rename(socket, away)
	if err := list(); !errors.Is(err, adapters.ErrUnavailable) {
		t.Errorf("without an engine: %v", err)
	}
	rename(away, socket)
	if err := list(); err != nil {
		t.Errorf("the engine is there: %v", err)
	}
	rename(socket, away)
	conn, err := a.engine.use(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.transport.CloseIdleConnections()
	if err := list(); !errors.Is(err, adapters.ErrUnavailable) {
		t.Errorf("the engine is gone: %v", err)
	}
	rename(away, socket)
	if err := list(); err != nil {
		t.Errorf("the engine is back: %v", err)
	}
	if n := strings.Count(strings.Join(d.seen, "\n"), "/_ping"); n != 1 {
		t.Errorf("%d pings for one engine", n)
	}
}

func TestEngineConnectsOnce(t *testing.T) {
	d, a := newDouble(t)
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if _, err := a.List(t.Context(), adapters.Filter{Root: a.root}); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := strings.Count(strings.Join(d.seen, "\n"), "/_ping"); n != 1 {
		t.Errorf("%d pings", n)
	}
}

func TestEngineSilent(t *testing.T) {
	d, a := newDouble(t)
	d.on("GET /containers/json", silent)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := a.List(ctx, adapters.Filter{Root: a.root}); !errors.Is(err, adapters.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("List: %v", err)
	}
	if elapsed := time.Since(began); elapsed > 500*time.Millisecond {
		t.Errorf("the bindings tried again for %v", elapsed)
	}
}

func TestEngineGarbage(t *testing.T) {
	d, a := newDouble(t)
	d.on("GET /containers/json", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("<html>", 10_000))
	})
	_, err := a.List(t.Context(), adapters.Filter{Root: a.root})
	if !errors.Is(err, adapters.ErrInternal) || len(err.Error()) > 200 {
		t.Errorf("List: %v", err)
	}
}

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	connections := filepath.Join(dir, "connections.json")
	for name, test := range map[string]struct {
		env, uri string
		want     string // the first socket
		own      bool
		kind     error
	}{
		"default":              {want: dir + "/podman/podman.sock", own: true},
		"environment":          {env: "unix:///x/y.sock", want: "/x/y.sock"},
		"environment, relaxed": {env: "unix://x/y.sock", want: "/x/y.sock"},
		"environment first":    {env: "unix:///x/y.sock", uri: "unix:///z.sock", want: "/x/y.sock"},
		"connection":           {uri: "unix:///z.sock", want: "/z.sock"},
		"connection elsewhere": {uri: "ssh://u@h:22/z.sock", want: dir + "/podman/podman.sock", own: true},
		"ssh":                  {env: "ssh://u@h/x", kind: adapters.ErrUnsupported},
		"tcp":                  {env: "tcp://h:1", kind: adapters.ErrUnsupported},
		"no scheme":            {env: "/x/y.sock", kind: adapters.ErrUnsupported},
		"no URI":               {env: "unix://%zz", kind: adapters.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_RUNTIME_DIR", dir)
			t.Setenv("CONTAINER_HOST", test.env)
			t.Setenv("PODMAN_CONNECTIONS_CONF", connections)
			conf := `{}`
			if test.uri != "" {
				conf = `{"Connection":{"Default":"d","Connections":{"d":{"URI":"` + test.uri + `"}}}}`
			}
			if err := os.WriteFile(connections, []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			at, err := locate("/own")
			if !errors.Is(err, test.kind) {
				t.Fatal(err)
			}
			if err == nil && (at.sockets[0] != test.want || (at.own != "") != test.own) {
				t.Errorf("%+v, want %s", at, test.want)
			}
		})
	}
}
