package podman

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// has makes the double list containers.
func (d *double) has(containers ...any) {
	d.on("GET /containers/json", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, containers) })
}

// listed is a sandbox as the engine lists it, with the labels of a version long
// ago, which will have to be understood for ever.
func listed(a *underTest, id string) any {
	labels := map[string]string{
		local.LabelID: id, local.LabelRoot: a.root, "quixand.created": time.Now().Format(time.RFC3339Nano),
		"quixand.metadata": "null", "quixand.resources": "{}", "quixand.idle": "60000", "quixand.lifetime": "-1",
	}
	return map[string]any{"Id": "engine-" + id, "Names": []string{"qs-" + id}, "State": "running", "Labels": labels}
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
				d.has(listed(a, testID))
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
