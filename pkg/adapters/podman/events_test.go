package podman

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

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
				"Actor": map[string]any{"Attributes": map[string]string{local.LabelID: e.id, "name": e.name}},
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
				"Actor": map[string]any{"Attributes": map[string]string{local.LabelID: "x1", "name": "qs-x1"}},
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
				"Actor": map[string]any{"Attributes": map[string]string{local.LabelID: "x1", "name": "qs-x1"}},
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
