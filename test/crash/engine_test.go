package crash

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/quixand"
)

// detour is a way to the engine on which a test can stand.
type detour struct {
	socket string
	// hook is asked about each request; it may hold it up, before it passes
	// it on or after.
	hook func(r *http.Request, pass func())
}

func newDetour(s *site, hook func(*http.Request, func())) *detour {
	s.Helper()
	d := &detour{filepath.Join(s.TempDir(), "detour.sock"), hook}
	l, err := net.Listen("unix", d.socket)
	if err != nil {
		s.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.service.socket)
		}},
		FlushInterval: -1,
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.hook(r, func() { proxy.ServeHTTP(w, r) })
	})}
	go func() { _ = srv.Serve(l) }()
	s.Cleanup(func() { srv.Close() })
	return d
}

// client is one of the site's, by the detour.
func (d *detour) client(s *site) *quixand.Client {
	s.Helper()
	s.Setenv("QS_ROOT", s.root)
	s.Setenv("CONTAINER_HOST", "unix://"+d.socket)
	c, err := quixand.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	return c
}

// TestSilentEngine: an engine that stops answering in the middle of a creation
// uses up that phase's budget and no more, and leaves nothing.
func TestSilentEngine(t *testing.T) {
	s := newSite(t)
	budgets := quixand.Budgets{Create: time.Second, Start: time.Second, Ready: 5 * time.Second}
	for name, c := range map[string]struct {
		path  string
		after bool // the engine does what it was asked for, and only its answer is lost
	}{
		"before create": {"/containers/create", false},
		"after create":  {"/containers/create", true},
		"before start":  {"/start", false},
		"after start":   {"/start", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.sub(t)
			d := newDetour(s, func(r *http.Request, pass func()) {
				if !strings.HasSuffix(r.URL.Path, c.path) {
					pass()
					return
				}
				if c.after {
					passSilently(s, r)
				}
				<-r.Context().Done()
			})
			begin := time.Now()
			_, err := d.client(s).Create(t.Context(), &quixand.Options{Budgets: budgets})
			if !errors.Is(err, quixand.ErrTimeout) {
				t.Errorf("create: %v", err)
			}
			if took := time.Since(begin); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
			s.list()
			s.within(grace, s.empty)
		})
	}
}

// passSilently has the engine do what it was asked for, and keeps the answer.
func passSilently(s *site, r *http.Request) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.service.socket)
	}}
	defer transport.CloseIdleConnections()
	again := r.Clone(context.WithoutCancel(r.Context()))
	again.URL.Scheme, again.URL.Host, again.RequestURI = "http", "engine", ""
	if res, err := transport.RoundTrip(again); err == nil {
		res.Body.Close()
	}
}

// TestSlowEngine: an engine that takes its time is waited for.
func TestSlowEngine(t *testing.T) {
	s := newSite(t)
	d := newDetour(s, func(r *http.Request, pass func()) {
		select {
		case <-time.After(500 * time.Millisecond): // the delay is the subject
			pass()
		case <-r.Context().Done():
		}
	})
	sb, err := d.client(s).Create(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := sb.Run(t.Context(), "true"); err != nil || res.ExitCode != 0 {
		t.Errorf("run: %+v, %v", res, err)
	}
	if err := sb.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	s.within(grace, s.empty)
}

// TestFullProcessTable: an engine that can start no process fails, and whoever
// asked it is told so.
func TestFullProcessTable(t *testing.T) {
	s := newSite(t)
	none := unix.Rlimit{Cur: 1, Max: 1}
	if err := unix.Prlimit(s.service.pid(), unix.RLIMIT_NPROC, &none, nil); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		out, err := s.run("create", "--quiet", "--json")
		if err == nil {
			t.Errorf("created %q", out)
		} else if !strings.Contains(err.Error(), `"error"`) {
			t.Errorf("create: %v", err)
		}
	}
	s.service.kill()
	s.service.ensure()
	s.list()
	s.within(grace, s.empty)
}
