package local

import (
	"context"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/pkg/adapters"
)

// double is an engine that never was. What it is not asked for in these tests it
// does not know.
type double struct {
	Engine
	containers []Container
	create     func(context.Context, *Spec) (string, error)
	removed    []string // containers and images
}

func newDouble(t *testing.T) (*double, *Adapter) {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("QS_AGENT", program) // any program does
	d := new(double)
	a := New("double", adapters.Config{Root: t.TempDir(), Logger: hclog.NewNullLogger()}, d)
	a.grace = 50 * time.Millisecond
	return d, a
}

func (d *double) Facts(context.Context, bool) (*Facts, error) { return &Facts{Shared: true}, nil }

func (d *double) Create(ctx context.Context, c *Spec) (string, error) { return d.create(ctx, c) }

// List knows the filter for the label with the id.
func (d *double) List(_ context.Context, labels ...string) ([]Container, error) {
	var found []Container
	for _, c := range d.containers {
		id, byID := strings.CutPrefix(labels[0], LabelID+"=")
		if !byID || c.Labels[LabelID] == id {
			found = append(found, c)
		}
	}
	return found, nil
}

func (d *double) Remove(_ context.Context, c *Container) error {
	d.removed = append(d.removed, c.ID)
	return nil
}

func (d *double) RemoveImage(_ context.Context, name string, _ bool) error {
	d.removed = append(d.removed, name)
	return nil
}

func (d *double) OutOfMemory(context.Context, string) (bool, error) { return false, nil }

func (d *double) LastWords(context.Context, string, string) string { return "" }

func (d *double) Events(context.Context, time.Time, bool, string) iter.Seq2[Event, error] {
	return func(func(Event, error) bool) {}
}

func specOf(a *Adapter) *adapters.Spec {
	return &adapters.Spec{
		ID: "abc123", Root: a.root, Image: "img", Workdir: "/workspace",
		IdleTimeout: time.Minute, Lifetime: adapters.NoTimeout,
		OnTimeout: adapters.TimeoutKill, Enforcers: []string{"agent"},
		Network: adapters.NetworkNone, Pull: adapters.PullMissing,
		Budgets: adapters.Budgets{Pull: time.Minute, Create: time.Minute, Start: time.Minute, Ready: time.Minute},
	}
}

// checkNothingLeft fails when a creation left its directory behind.
func checkNothingLeft(t *testing.T, a *Adapter) {
	t.Helper()
	if ids, err := a.dirs.IDs(); err != nil || len(ids) > 0 {
		t.Errorf("directories left: %v, %v", ids, err)
	}
}
