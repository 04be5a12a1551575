package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containers/podman/v5/pkg/errorhandling"

	"github.com/quixand/quixand/pkg/adapters"
)

// checkNothingLeft fails when a creation left its directory behind.
func checkNothingLeft(t *testing.T, a *underTest) {
	t.Helper()
	if ids, err := a.dirs.IDs(); err != nil || len(ids) > 0 {
		t.Errorf("directories left: %v, %v", ids, err)
	}
	if _, err := os.Stat(a.dirs.Log(testID)); err == nil {
		t.Error("a log is left")
	}
}

func TestCreate(t *testing.T) {
	d, a := newDouble(t)
	var env struct{ EnvVars map[string]string }
	d.on("POST /containers/{id}/start", d.agentReady(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/init" {
			json.NewDecoder(r.Body).Decode(&env)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		goodAgent(w, r)
	}))
	var phases []string
	spec := specOf(a)
	spec.Env = map[string]string{"SECRET": "x"}
	spec.Metadata = map[string]string{"k": "v"}
	spec.Progress = func(p adapters.Progress) { phases = append(phases, fmt.Sprint(p.Phase, " ", p.Done)) }
	info, err := a.Create(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if info.State != adapters.StateRunning || info.ID != testID || info.Root != a.root || info.Metadata["k"] != "v" {
		t.Errorf("info %+v", info)
	}
	if want := []string{"POST /containers/create", "POST /containers/c1/start"}; !slices.Equal(d.requests(), want) {
		t.Errorf("requests %v, want %v", d.requests(), want)
	}
	want := []string{"create false", "create true", "start false", "start true", "ready false", "ready true"}
	if !slices.Equal(phases, want) {
		t.Errorf("progress %v, want %v", phases, want)
	}
	if env.EnvVars["SECRET"] != "x" {
		t.Errorf("the agent got %v", env)
	}
	if _, err := a.Create(t.Context(), spec); !errors.Is(err, adapters.ErrExists) {
		t.Errorf("the same id again: %v", err)
	}
}

func TestCreatePulls(t *testing.T) {
	d, a := newDouble(t)
	var pulled bool
	d.on("POST /containers/create", func(w http.ResponseWriter, r *http.Request) {
		if !pulled {
			says(http.StatusNotFound, "no such image: img: image not known")(w, r)
			return
		}
		answer(w, http.StatusCreated, map[string]any{"Id": "c1"})
	})
	d.on("POST /images/pull", func(w http.ResponseWriter, r *http.Request) {
		pulled = r.URL.Query().Get("reference") == "img"
		io.WriteString(w, `{"stream":"Trying to pull\nCopying "}{"stream":"blob\n"}{"images":["1"],"id":"1"}`)
	})
	d.on("POST /containers/{id}/start", d.agentReady(goodAgent))
	var lines []string
	spec := specOf(a)
	spec.Progress = func(p adapters.Progress) {
		if p.Message != "" {
			lines = append(lines, p.Message)
		}
	}
	if _, err := a.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Trying to pull", "Copying blob"}; !slices.Equal(lines, want) {
		t.Errorf("progress %q, want %q", lines, want)
	}
}

// Every failure has its kind and its phase, keeps the engine's own error, and
// leaves nothing behind.
func TestCreateFailures(t *testing.T) {
	for name, test := range map[string]struct {
		at      string
		answer  http.HandlerFunc
		pull    adapters.PullPolicy
		kind    error
		phase   adapters.Phase
		removes bool
	}{
		"image missing":       {"POST /containers/create", says(404, "no such image: img: image not known"), adapters.PullNever, adapters.ErrNotFound, adapters.PhaseCreate, false},
		"name taken":          {"POST /containers/create", says(500, `creating container storage: the container name "qs-abc123" is already in use by c9`), "", adapters.ErrExists, adapters.PhaseCreate, false},
		"registry refuses":    {"POST /images/pull", says(500, "reading manifest: unauthorized: authentication required"), adapters.PullAlways, adapters.ErrPermission, adapters.PhasePull, false},
		"disk full":           {"POST /containers/{id}/start", says(500, "mount: no space left on device"), "", adapters.ErrExhausted, adapters.PhaseStart, true},
		"no controller":       {"POST /containers/{id}/start", says(500, "crun: controller `pids` is not available under /sys/fs/cgroup"), "", adapters.ErrUnsupported, adapters.PhaseStart, true},
		"garbage":             {"POST /containers/create", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "\x00<html>") }, "", adapters.ErrInternal, adapters.PhaseCreate, false},
		"engine goes away":    {"POST /containers/{id}/start", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", adapters.ErrUnavailable, adapters.PhaseStart, true},
		"no words, no status": {"POST /containers/{id}/start", says(500, "something new"), "", adapters.ErrInternal, adapters.PhaseStart, true},
	} {
		t.Run(name, func(t *testing.T) {
			d, a := newDouble(t)
			d.on(test.at, test.answer)
			spec := specOf(a)
			if test.pull != "" {
				spec.Pull = test.pull
			}
			_, err := a.Create(t.Context(), spec)
			e, ok := errors.AsType[*adapters.Error](err)
			if !ok || e.Kind != test.kind || e.Phase != test.phase {
				t.Errorf("%v is of kind %v in phase %q, want %v in %q", err, adapters.KindOf(err), e.Phase, test.kind, test.phase)
			}
			if _, ok := errors.AsType[*errorhandling.ErrorModel](err); !ok && name != "garbage" && name != "engine goes away" {
				t.Errorf("the engine's own error is lost: %v", err)
			}
			if got := d.asked("DELETE /containers/c1"); got != test.removes {
				t.Errorf("container removed: %v, want %v; requests: %v", got, test.removes, d.requests())
			}
			checkNothingLeft(t, a)
		})
	}
}

// A start that its caller gives up is let finish before it is undone: the
// engine would finish it anyway.
func TestCreateCancelled(t *testing.T) {
	d, a := newDouble(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	d.on("POST /containers/{id}/start", func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		w.WriteHeader(http.StatusNoContent)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
		close(finish)
	}()
	_, err := a.Create(ctx, specOf(a))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v", err)
	}
	if !d.asked("DELETE /containers/c1") {
		t.Errorf("requests: %v", d.requests())
	}
	checkNothingLeft(t, a)
}

func TestCreateOfHostileAgent(t *testing.T) {
	for name, test := range map[string]struct {
		agent http.HandlerFunc
		kind  error
	}{
		"garbage":  {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "\x1b[2J") }, adapters.ErrInternal},
		"silence":  {silent, adapters.ErrTimeout},
		"too much": {tooMuch, adapters.ErrExhausted},
		"no":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, adapters.ErrInternal},
	} {
		t.Run(name, func(t *testing.T) {
			d, a := newDouble(t)
			d.on("POST /containers/{id}/start", d.agentReady(test.agent))
			d.on("POST /containers/{id}/wait", silent)
			spec := specOf(a)
			spec.Budgets.Ready = 10 * time.Second
			if test.kind == adapters.ErrTimeout {
				spec.Budgets.Ready = 200 * time.Millisecond
			}
			_, err := a.Create(t.Context(), spec)
			e, ok := errors.AsType[*adapters.Error](err)
			if !ok || e.Kind != test.kind || e.Phase != adapters.PhaseReady {
				t.Errorf("%v is of kind %v", err, adapters.KindOf(err))
			}
			if !d.asked("DELETE /containers/c1") {
				t.Errorf("requests: %v", d.requests())
			}
			checkNothingLeft(t, a)
		})
	}
}

func tooMuch(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for {
		if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
			return
		}
	}
}

// A sandbox that dies at once is not waited for, and its last words are kept.
func TestCreateOfDyingAgent(t *testing.T) {
	d, a := newDouble(t)
	d.on("POST /containers/{id}/start", func(w http.ResponseWriter, _ *http.Request) {
		log := "2026-01-02T03:04:05.6+00:00 stderr F qs-agent: no room\n"
		if err := os.WriteFile(a.dirs.Log(testID), []byte(log), 0o600); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	d.on("POST /containers/{id}/wait", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, 3) })
	_, err := a.Create(t.Context(), specOf(a))
	if !errors.Is(err, adapters.ErrInternal) || !strings.Contains(err.Error(), "exit code 3") || !strings.Contains(err.Error(), "qs-agent: no room") {
		t.Errorf("Create: %v", err)
	}
	checkNothingLeft(t, a)
}

func TestCreateChecksRuntime(t *testing.T) {
	d, a := newDouble(t)
	a.engine.runtime = "runsc"
	d.on("GET /containers/{id}/json", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"OCIRuntime": "crun"})
	})
	if _, err := a.Create(t.Context(), specOf(a)); !errors.Is(err, adapters.ErrUnsupported) {
		t.Errorf("Create: %v", err)
	}
	if d.asked("POST /containers/c1/start") || !d.asked("DELETE /containers/c1") {
		t.Errorf("requests: %v", d.requests())
	}
	checkNothingLeft(t, a)
}

// What cannot be had is refused before anything is made.
func TestCreateRefusals(t *testing.T) {
	for name, test := range map[string]func(*underTest, *adapters.Spec){
		"memory": func(_ *underTest, s *adapters.Spec) { s.Resources.MemoryBytes = 1 << 30 },
		"cpu":    func(_ *underTest, s *adapters.Spec) { s.Resources.CPUs = 1 },
		"pids":   func(_ *underTest, s *adapters.Spec) { s.Resources.PIDs = 100 },
		"ports":  func(_ *underTest, s *adapters.Spec) { s.Ports = []adapters.PortMapping{{Port: 80}} },
		"root":   func(a *underTest, _ *adapters.Spec) { a.engine.host = rootHost{} },
	} {
		t.Run(name, func(t *testing.T) {
			d, a := newDouble(t)
			d.on("GET /info", func(w http.ResponseWriter, _ *http.Request) {
				answer(w, http.StatusOK, map[string]any{"host": map[string]any{"cgroupControllers": []string{}}})
			})
			spec := specOf(a)
			test(a, spec)
			_, err := a.Create(t.Context(), spec)
			if e, ok := errors.AsType[*adapters.Error](err); !ok || e.Kind != adapters.ErrUnsupported || e.Hint == "" {
				t.Errorf("Create: %v", err)
			}
			if d.asked("POST /containers/create") {
				t.Errorf("requests: %v", d.requests())
			}
			checkNothingLeft(t, a)
		})
	}
}

type rootHost struct{ quietHost }

func (rootHost) ownedByRoot(string) bool { return true }

// The engine has the last word on what it can enforce.
func TestCreateAsksEngineBeforeRefusal(t *testing.T) {
	d, a := newDouble(t)
	d.on("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"host": map[string]any{"cgroupControllers": []string{"memory"}}})
	})
	d.on("POST /containers/{id}/start", d.agentReady(goodAgent))
	spec := specOf(a)
	spec.Resources.MemoryBytes = 1 << 30
	if _, err := a.Create(t.Context(), spec); err != nil {
		t.Error(err)
	}
}
