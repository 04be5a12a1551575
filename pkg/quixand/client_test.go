package quixand_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

func TestLifecycle(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	var phases []quixand.Phase
	sb, err := c.Create(ctx, &quixand.Options{
		Template: "some-image",
		Metadata: map[string]string{"owner": "me"},
		Env:      map[string]string{"GREETING": "hello"},
		Progress: func(p quixand.Progress) { phases = append(phases, p.Phase) },
	})
	must(t, err)
	if len(phases) == 0 {
		t.Error("no progress was reported")
	}
	other, err := c.Connect(ctx, sb.ID()[:8])
	must(t, err)
	if other.ID() != sb.ID() || other.Workdir() != sb.Workdir() {
		t.Errorf("connected to %s at %s", other.ID(), other.Workdir())
	}
	res, err := other.Shell(ctx, "echo $GREETING")
	must(t, err)
	if res.Text() != "hello\n" {
		t.Errorf("env: %q", res.Text())
	}
	info, err := c.Get(ctx, sb.ID()[:8])
	must(t, err)
	if info.ID != sb.ID() || info.Image != "some-image" || info.State != quixand.StateRunning || info.Metadata["owner"] != "me" {
		t.Errorf("info: %+v", info)
	}
	must(t, c.Kill(ctx, sb.ID()))
	must(t, sb.Kill(ctx)) // a repeat is harmless here
	if err := c.Kill(ctx, sb.ID()); !errors.Is(err, quixand.ErrNotFound) {
		t.Errorf("second Kill by id: %v", err)
	}
	if _, err := c.Get(ctx, sb.ID()); !errors.Is(err, quixand.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if _, err := c.Connect(ctx, sb.ID()); !errors.Is(err, quixand.ErrNotFound) {
		t.Errorf("Connect: %v", err)
	}
}

func TestList(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	var ids []string
	for _, owner := range []string{"a", "b"} {
		sb, err := c.Create(ctx, &quixand.Options{Metadata: map[string]string{"owner": owner}})
		must(t, err)
		ids = append(ids, sb.ID())
	}
	for name, test := range map[string]struct {
		opts *quixand.ListOptions
		want []string
	}{
		"all":      {nil, []string{ids[1], ids[0]}},
		"metadata": {&quixand.ListOptions{Metadata: map[string]string{"owner": "a"}}, ids[:1]},
		"states":   {&quixand.ListOptions{States: []quixand.State{quixand.StatePaused}}, nil},
	} {
		infos, err := c.List(ctx, test.opts)
		must(t, err)
		var got []string
		for _, info := range infos {
			got = append(got, info.ID)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// sandboxes is an adapter that knows ids, and nothing else.
type sandboxes struct {
	adapters.Adapter
	ids []string
}

func (s sandboxes) List(context.Context, adapters.Filter) ([]*adapters.Info, error) {
	var infos []*adapters.Info
	for _, id := range s.ids {
		infos = append(infos, &adapters.Info{ID: id})
	}
	return infos, nil
}

func (s sandboxes) Get(_ context.Context, id string) (*adapters.Info, error) {
	return &adapters.Info{ID: id}, nil
}

// resolving can complete ids as well.
type resolving struct{ sandboxes }

func (resolving) List(context.Context, adapters.Filter) ([]*adapters.Info, error) {
	return nil, errors.New("the engine was asked")
}

func (resolving) Resolve(prefix string) (string, bool, error) { return prefix + "resolved", true, nil }

func clientOf(t *testing.T, a adapters.Adapter) *quixand.Client {
	t.Helper()
	r := new(adapters.Registry)
	r.Register("test", func(adapters.Config) (adapters.Adapter, error) { return a, nil })
	c, err := quixand.New(&quixand.Config{Adapter: "test", Registry: r, Root: "/r"})
	must(t, err)
	return c
}

func TestPrefixes(t *testing.T) {
	c := clientOf(t, sandboxes{ids: []string{"abc1", "abc2", "abc", "x"}})
	for prefix, want := range map[string]string{"abc": "abc", "abc1": "abc1", "x": "x"} {
		if info, err := c.Get(t.Context(), prefix); err != nil || info.ID != want {
			t.Errorf("%s: %v, %v", prefix, info, err)
		}
	}
	for prefix, kind := range map[string]error{
		"ab": quixand.ErrInvalid, "y": quixand.ErrNotFound, "": quixand.ErrInvalid, "A": quixand.ErrInvalid, "../x": quixand.ErrInvalid,
	} {
		if _, err := c.Get(t.Context(), prefix); !errors.Is(err, kind) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	_, err := c.Get(t.Context(), "ab")
	if e, ok := errors.AsType[*quixand.Error](err); !ok || !strings.Contains(e.Hint, "abc1") {
		t.Errorf("the choice is not shown: %v", err)
	}
	if info, err := clientOf(t, resolving{}).Get(t.Context(), "ab"); err != nil || info.ID != "abresolved" {
		t.Errorf("with a resolver: %v, %v", info, err)
	}
}

// TestCreateChecksFirst creates what cannot be on an adapter that would panic
// if it were asked.
func TestCreateChecksFirst(t *testing.T) {
	c := clientOf(t, sandboxes{})
	if _, err := c.Create(t.Context(), &quixand.Options{Timeout: -5}); !errors.Is(err, quixand.ErrInvalid) {
		t.Errorf("Create: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Create(ended, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v", err)
	}
	for _, err := range c.Events(t.Context(), time.Time{}) {
		if !errors.Is(err, quixand.ErrUnsupported) {
			t.Errorf("Events: %v", err)
		}
	}
	if checks := c.Check(t.Context()); len(checks) != 1 || checks[0].Name != "timeouts" {
		t.Errorf("Check: %v", checks)
	}
}

func TestUnknownAdapter(t *testing.T) {
	_, err := quixand.New(&quixand.Config{Adapter: "podman", Registry: new(adapters.Registry), Root: "/r"})
	e, ok := errors.AsType[*quixand.Error](err)
	if !ok || e.Kind != quixand.ErrInvalid || !strings.Contains(e.Hint, `import _ "github.com/quixand/quixand/pkg/adapters/podman"`) {
		t.Errorf("New: %v", err)
	}
}

// TestGone asks a sandbox that has ended, in every way there is to ask one.
func TestGone(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	sb, err := c.Create(ctx, nil)
	must(t, err)
	must(t, c.Kill(ctx, sb.ID()))
	calls := map[string]func() error{
		"run":       func() error { _, err := sb.Run(ctx, "true"); return err },
		"start":     func() error { return sb.Command("true").Start(ctx) },
		"write":     func() error { _, err := sb.Files.WriteString(ctx, "f", "x"); return err },
		"read":      func() error { _, err := sb.Files.Read(ctx, "f"); return err },
		"exists":    func() error { _, err := sb.Files.Exists(ctx, "f"); return err },
		"glob":      func() error { _, err := sb.Files.Glob(ctx, "*"); return err },
		"status":    func() error { _, err := sb.Status(ctx); return err },
		"info":      func() error { _, err := sb.Info(ctx); return err },
		"processes": func() error { _, err := sb.Processes(ctx); return err },
		"refresh":   func() error { return sb.RefreshTimeout(ctx, 0) },
		"dial":      func() error { _, err := sb.DialContext(ctx, "tcp", ":80"); return err },
		"expose":    func() error { _, err := sb.Expose(ctx, 80, 0); return err },
		"transport": func() error {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://x/", nil)
			res, err := sb.Transport(80).RoundTrip(req)
			if err == nil {
				res.Body.Close()
			}
			return err
		},
		"watch": func() error {
			for _, err := range sb.Files.Watch(ctx, ".", nil) {
				return err
			}
			return nil
		},
	}
	for name, call := range calls {
		err := call()
		e, ok := errors.AsType[*quixand.Error](err)
		if !ok || e.Kind != quixand.ErrNotFound || e.ID != sb.ID() || e.Adapter != fake.Name || e.Op == "" {
			t.Errorf("%s: %#v", name, err)
		}
		if ok && name != "info" && e.Hint == "" {
			t.Errorf("%s: no hint in %v", name, err)
		}
	}
}

// TestGoneInTheMiddle ends a sandbox while commands run in it.
func TestGoneInTheMiddle(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	sb, err := c.Create(ctx, nil)
	must(t, err)
	cmd := sb.Command("sleep", "60")
	must(t, cmd.Start(ctx))
	must(t, c.Kill(ctx, sb.ID()))
	if err := cmd.Wait(); !errors.Is(err, quixand.ErrNotFound) {
		t.Errorf("Wait: %v", err)
	}
}

func TestIdleTimeout(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	sb, err := c.Create(ctx, &quixand.Options{Timeout: time.Hour, Lifetime: 2 * time.Hour})
	must(t, err)
	st, err := sb.Status(ctx)
	must(t, err)
	if st.IdleTimeout != time.Hour || st.Lifetime.Sub(st.Created) != 2*time.Hour || st.ID != sb.ID() || st.Workdir != sb.Workdir() {
		t.Errorf("%+v", st)
	}
	must(t, sb.RefreshTimeout(ctx, quixand.NoTimeout))
	if st, err = sb.Status(ctx); err != nil || st.IdleTimeout != quixand.NoTimeout || !st.Deadline.IsZero() {
		t.Errorf("%+v, %v", st, err)
	}
	if err := sb.RefreshTimeout(ctx, -5); !errors.Is(err, quixand.ErrInvalid) {
		t.Errorf("RefreshTimeout: %v", err)
	}
	if _, err := sb.Metrics(ctx); err != nil {
		t.Errorf("Metrics: %v", err)
	}
	l, err := sb.Expose(ctx, 1, 0)
	must(t, err)
	must(t, sb.RefreshTimeout(ctx, time.Millisecond)) // the listener alone does not keep it alive
	<-l.Done()
	if err := l.Err(); !errors.Is(err, quixand.ErrNotFound) {
		t.Errorf("Err: %v", err)
	}
}
