package local

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/pkg/adapters"
)

// listed is a container as the engine lists it. change makes it a special one.
func listed(t *testing.T, a *Adapter, id string, created time.Time, change func(*Container)) Container {
	t.Helper()
	spec := specOf(a)
	spec.ID = id
	labels, err := labelsFor(spec, spec.Resources, created, bootclock.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := Container{ID: "engine-" + id, Name: "qs-" + id, State: adapters.StateRunning, Labels: labels}
	if change != nil {
		change(&c)
	}
	return c
}

func TestListTrustsNoLabels(t *testing.T) {
	d, a := newDouble(t)
	now := time.Now()
	d.containers = []Container{
		listed(t, a, "old", now.Add(-time.Hour), nil),
		listed(t, a, "new", now, func(c *Container) {
			c.State = adapters.StatePaused
			c.Ports = []adapters.PortMapping{{Port: 80, HostPort: 8080}}
		}),
		listed(t, a, "image", now, func(c *Container) { c.Name = "from-a-snapshot" }),
		listed(t, a, "noid", now, func(c *Container) { c.Labels[LabelID] = "../../etc" }),
		listed(t, a, "notime", now, func(c *Container) { c.Labels[labelCreated] = "yesterday" }),
		listed(t, a, "nojson", now, func(c *Container) { c.Labels[labelMetadata] = "{" }),
	}
	infos, err := a.List(t.Context(), adapters.Filter{Root: a.root})
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) != 2 || infos[0].ID != "new" || infos[1].ID != "old" {
		t.Fatalf("listed %v", infos)
	}
	if got := infos[0]; got.State != adapters.StatePaused || len(got.Ports) != 1 || got.Ports[0] != (adapters.PortMapping{Port: 80, HostPort: 8080}) {
		t.Errorf("%+v", got)
	}
}

func TestNamesOfContainers(t *testing.T) {
	for container, want := range map[string]struct {
		name string
		ours bool
	}{
		"qs-abc":         {"", true},
		"qs-abc.web-1":   {"web-1", true},
		"qs-abc.1_":      {"1_", true},
		"qs-abc.":        {},
		"qs-abc.Web":     {},
		"qs-abc.web.two": {},
		"qs-abc-web":     {},
		"qs-abcd":        {},
		"qs-abcd.web":    {},
		"my-qs-abc":      {},
		"abc":            {},
		"":               {},
	} {
		if name, ours := nameFrom(container, "abc"); name != want.name || ours != want.ours {
			t.Errorf("%q: %q, %v", container, name, ours)
		}
		if want.ours && nameContainer("abc", want.name) != container {
			t.Errorf("%q becomes %q", want.name, nameContainer("abc", want.name))
		}
	}
}

func TestListFilters(t *testing.T) {
	d, a := newDouble(t)
	d.containers = []Container{
		listed(t, a, "one", time.Now(), func(c *Container) { c.Labels[labelMetadata] = `{"k":"v","x":""}` }),
	}
	for _, test := range []struct {
		filter adapters.Filter
		want   int
	}{
		{adapters.Filter{}, 1},
		{adapters.Filter{Metadata: map[string]string{"k": "v"}}, 1},
		{adapters.Filter{Metadata: map[string]string{"k": "other"}}, 0},
		{adapters.Filter{Metadata: map[string]string{"absent": ""}}, 0},
		{adapters.Filter{Metadata: map[string]string{"x": ""}}, 1},
		{adapters.Filter{States: []adapters.State{adapters.StateRunning}}, 1},
		{adapters.Filter{States: []adapters.State{adapters.StatePaused}}, 0},
	} {
		test.filter.Root = a.root
		infos, err := a.List(t.Context(), test.filter)
		if err != nil || len(infos) != test.want {
			t.Errorf("%+v: %d, %v, want %d", test.filter, len(infos), err, test.want)
		}
	}
}

// A list cleans up after those who died, and after nobody else.
func TestListSweeps(t *testing.T) {
	d, a := newDouble(t)
	for _, id := range []string{"gone", "alive", "claimed"} {
		claim, err := a.dirs.Create(id)
		if err != nil {
			t.Fatal(err)
		}
		if id == "claimed" {
			defer claim.Release()
		} else {
			claim.Release()
		}
	}
	creating := func(c *Container) { c.State = adapters.StateCreating }
	ended := func(when time.Time) func(*Container) {
		return func(c *Container) { c.State, c.Ended, c.EndedAt = adapters.StateStopped, true, when }
	}
	d.containers = []Container{
		listed(t, a, "alive", time.Now(), nil),
		listed(t, a, "never", time.Now().Add(-time.Hour), creating),
		listed(t, a, "fresh", time.Now(), creating),
		listed(t, a, "over", time.Now(), ended(time.Now().Add(-time.Hour))),
		listed(t, a, "ending", time.Now(), ended(time.Now())),
		listed(t, a, "unnoticed", time.Now(), ended(time.Time{})),
	}
	if _, err := a.List(t.Context(), adapters.Filter{Root: a.root}); err != nil {
		t.Fatal(err)
	}
	for id, removed := range map[string]bool{"alive": false, "never": true, "fresh": false, "over": true, "ending": false, "unnoticed": true} {
		if got := slices.Contains(d.removed, "engine-"+id); got != removed {
			t.Errorf("container %s removed: %v, want %v", id, got, removed)
		}
	}
	for id, removed := range map[string]bool{"gone": true, "alive": false, "claimed": false} {
		if got := slices.Contains(d.removed, a.forkRepo()+":"+id); got != removed {
			t.Errorf("what %s may have been forked from removed: %v, want %v", id, got, removed)
		}
		if _, err := os.Stat(a.dirs.Sandbox(id)); (err != nil) != removed {
			t.Errorf("directory of %s: %v", id, err)
		}
	}
}
