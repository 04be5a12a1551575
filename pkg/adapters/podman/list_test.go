package podman

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/pkg/adapters"
)

// has makes the double list containers.
func (d *double) has(containers ...any) {
	d.on("GET /containers/json", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, containers) })
}

// listed is a container as the engine lists it. change makes it a special one.
func listed(t *testing.T, a *Adapter, id string, created time.Time, change func(c map[string]any, labels map[string]string)) any {
	t.Helper()
	spec := specOf(a)
	spec.ID = id
	labels, err := labelsFor(spec, created, bootclock.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := map[string]any{"Id": "engine-" + id, "Names": []string{"qs-" + id}, "State": "running", "Labels": labels}
	if change != nil {
		change(c, labels)
	}
	return c
}

func TestListTrustsNoLabels(t *testing.T) {
	d, a := newDouble(t)
	now := time.Now()
	type labels = map[string]string
	d.has(
		listed(t, a, "old", now.Add(-time.Hour), nil),
		listed(t, a, "new", now, func(c map[string]any, _ labels) {
			c["State"] = "paused"
			c["Ports"] = []any{map[string]any{"container_port": 80, "host_port": 8080}}
		}),
		listed(t, a, "image", now, func(c map[string]any, _ labels) { c["Names"] = []string{"from-a-snapshot"} }),
		listed(t, a, "noid", now, func(_ map[string]any, l labels) { l[labelID] = "../../etc" }),
		listed(t, a, "notime", now, func(_ map[string]any, l labels) { l[labelCreated] = "yesterday" }),
		listed(t, a, "nojson", now, func(_ map[string]any, l labels) { l[labelMetadata] = "{" }),
	)
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
	d.has(listed(t, a, "one", time.Now(), func(_ map[string]any, l map[string]string) { l[labelMetadata] = `{"k":"v","x":""}` }))
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
	d.on("GET /containers/json", func(w http.ResponseWriter, r *http.Request) {
		all := map[string]any{
			"alive": listed(t, a, "alive", time.Now(), nil),
			"never": listed(t, a, "never", time.Now().Add(-time.Hour), func(c map[string]any, _ map[string]string) { c["State"] = "created" }),
			"fresh": listed(t, a, "fresh", time.Now(), func(c map[string]any, _ map[string]string) { c["State"] = "created" }),
			"over": listed(t, a, "over", time.Now(), func(c map[string]any, _ map[string]string) {
				c["State"], c["Exited"], c["ExitedAt"] = "exited", true, time.Now().Add(-time.Hour).Unix()
			}),
			"ending": listed(t, a, "ending", time.Now(), func(c map[string]any, _ map[string]string) {
				c["State"], c["Exited"], c["ExitedAt"] = "exited", true, time.Now().Unix()
			}),
		}
		answer(w, http.StatusOK, selectByID(r, all))
	})
	if _, err := a.List(t.Context(), adapters.Filter{Root: a.root}); err != nil {
		t.Fatal(err)
	}
	for id, removed := range map[string]bool{"alive": false, "never": true, "fresh": false, "over": true, "ending": false} {
		if got := d.asked("DELETE /containers/engine-" + id); got != removed {
			t.Errorf("container %s removed: %v, want %v", id, got, removed)
		}
	}
	for id, removed := range map[string]bool{"gone": true, "alive": false, "claimed": false} {
		if got := d.asked("DELETE /images/" + a.forkRepo() + ":" + id); got != removed {
			t.Errorf("what %s may have been forked from removed: %v, want %v", id, got, removed)
		}
		if _, err := os.Stat(a.dirs.Sandbox(id)); (err != nil) != removed {
			t.Errorf("directory of %s: %v", id, err)
		}
	}
}

// selectByID is the engine's filter for the label with the id.
func selectByID(r *http.Request, all map[string]any) []any {
	var found []any
	for id, c := range all {
		if filters := r.URL.Query().Get("filters"); !strings.Contains(filters, labelID+"=") || strings.Contains(filters, labelID+"="+id+`"`) {
			found = append(found, c)
		}
	}
	return found
}

// diedMessage is Podman 4.3's.
const diedMessage = "cannot remove container c1 as it could not be stopped: sending SIGKILL to container c1: container state improper: stopped"

// unlessAgain fails the first request and grants the others.
func unlessAgain(fail http.HandlerFunc) http.HandlerFunc {
	var asked atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) {
		if asked.Swap(true) {
			answer(w, http.StatusOK, []any{})
			return
		}
		fail(w, r)
	}
}

func TestKill(t *testing.T) {
	for name, test := range map[string]struct {
		there  bool
		remove http.HandlerFunc // nil: it succeeds
		exists http.HandlerFunc // nil: yes
		kind   error            // nil: success
	}{
		"alive":                {there: true},
		"unknown":              {kind: adapters.ErrNotFound},
		"gone meanwhile":       {there: true, remove: says(404, "no such container")},
		"removed by the other": {there: true, remove: says(500, "container state improper"), exists: says(404, "no such container")},
		"died meanwhile":       {there: true, remove: unlessAgain(says(500, diedMessage))},
		"does not die":         {there: true, remove: says(500, "could not be stopped"), kind: adapters.ErrInternal},
	} {
		t.Run(name, func(t *testing.T) {
			d, a := newDouble(t)
			if test.there {
				d.has(listed(t, a, testID, time.Now(), nil))
			}
			if test.remove != nil {
				d.on("DELETE /containers/{id}", test.remove)
			}
			if test.exists != nil {
				d.on("GET /containers/{id}/exists", test.exists)
			}
			claim, err := a.dirs.Create(testID)
			if err != nil {
				t.Fatal(err)
			}
			claim.Release()
			if err := a.Kill(t.Context(), testID, adapters.KillOptions{Reason: adapters.ReasonKilled}); !errors.Is(err, test.kind) {
				t.Errorf("Kill: %v", err)
			}
			if test.kind != adapters.ErrInternal {
				checkNothingLeft(t, a)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	d, a := newDouble(t)
	d.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		for _, e := range []struct{ id, name, action string }{
			{"x1", "qs-x1", "create"},
			{"x1", "qs-x1", "init"},
			{"x2", "an image's label", "start"},
			{"x1", "qs-x1", "died"},
		} {
			json.NewEncoder(w).Encode(map[string]any{
				"Action": e.action, "timeNano": 5e9,
				"Actor": map[string]any{"Attributes": map[string]string{labelID: e.id, "name": e.name}},
			})
		}
	})
	var got []adapters.Event
	var last error
	for e, err := range a.Events(t.Context(), time.Time{}) {
		if last = err; err == nil {
			got = append(got, e)
		}
	}
	if len(got) != 2 || got[0].Type != adapters.EventCreated || got[1].Type != adapters.EventDied || got[1].ID != "x1" || got[1].Time.Unix() != 5 {
		t.Errorf("events %v", got)
	}
	if !errors.Is(last, adapters.ErrUnavailable) {
		t.Errorf("the end of the stream: %v", last)
	}
}

// Podman 4 ends its answer when it rotates its log of events, keeps half of it, and
// tells that again to whoever asks.
func TestEventsGoOn(t *testing.T) {
	d, a := newDouble(t)
	began := time.Now()
	actions := []string{"create", "start", "died", "remove"}
	var asked atomic.Int64
	d.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("stream") == "false" {
			return // the question why it has died
		}
		if since, err := time.Parse(time.RFC3339Nano, r.FormValue("since")); err != nil || since.Before(began.Add(-time.Second)) {
			t.Errorf("asked for what happened since %v, %v", since, err)
		}
		n := int(asked.Add(1))
		for i := max(0, n-2); i < min(n, len(actions)); i++ {
			json.NewEncoder(w).Encode(map[string]any{
				"Action": actions[i], "timeNano": began.UnixNano() + int64(i),
				"Actor": map[string]any{"Attributes": map[string]string{labelID: "x1", "name": "qs-x1"}},
			})
		}
	})
	var got []adapters.EventType
	var last error
	for e, err := range a.Events(t.Context(), time.Time{}) {
		if last = err; err == nil {
			got = append(got, e.Type)
		}
	}
	want := []adapters.EventType{adapters.EventCreated, adapters.EventStarted, adapters.EventDied, adapters.EventRemoved}
	if !slices.Equal(got, want) || !errors.Is(last, adapters.ErrUnavailable) {
		t.Errorf("%v, %v", got, last)
	}
}

// A service that is restarted breaks its connections, and takes none for a while.
func TestEventsSurviveRestart(t *testing.T) {
	d, a := newDouble(t)
	began := time.Now()
	var asked atomic.Int64
	tell := func(w http.ResponseWriter, actions ...string) {
		for i, action := range actions {
			json.NewEncoder(w).Encode(map[string]any{
				"Action": action, "timeNano": began.UnixNano() + int64(i),
				"Actor": map[string]any{"Attributes": map[string]string{labelID: "x1", "name": "qs-x1"}},
			})
		}
		w.(http.Flusher).Flush()
	}
	d.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			tell(w, "create", "pause")
		case 2, 3:
		default:
			tell(w, "create", "pause", "unpause")
		}
		panic(http.ErrAbortHandler)
	})
	var got []adapters.EventType
	for e, err := range a.Events(t.Context(), time.Time{}) {
		if err == nil {
			got = append(got, e.Type)
		} else if !errors.Is(err, adapters.ErrUnavailable) {
			t.Error(err)
		}
	}
	if want := []adapters.EventType{adapters.EventCreated, adapters.EventPaused, adapters.EventResumed}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestEventsFail(t *testing.T) {
	d, a := newDouble(t)
	d.on("GET /events", says(http.StatusOK, "invalid character 'M' after object key:value pair"))
	for e, err := range a.Events(t.Context(), time.Time{}) {
		if !errors.Is(err, adapters.ErrInternal) || !strings.Contains(err.Error(), "invalid character") {
			t.Errorf("got %v, %v", e, err)
		}
	}
}

func TestEventsEndWithContext(t *testing.T) {
	d, a := newDouble(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	for e, err := range a.Events(ctx, time.Time{}) {
		t.Errorf("got %v, %v", e, err)
	}
}
