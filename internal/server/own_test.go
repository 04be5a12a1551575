package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/pkg/adapters"
)

// own makes a sandbox as the library does, and returns the lines of the answer.
func (w *world) own(key, body string, headers ...string) *answer {
	w.Helper()
	return w.ask("POST", "/quixand/v1/sandboxes", body, append([]string{"X-API-KEY", key}, headers...)...)
}

func ownSpec(id, more string) string {
	return fmt.Sprintf(`{"id":%q,"image":"base","workdir":"/w","idleTimeout":60000000000,"lifetime":-1,"onTimeout":"kill","network":"bridge","pull":"missing"%s}`, id, more)
}

// TestOwnCallsAreWithinTheKey tries everything beside E2B's API with another key.
func TestOwnCallsAreWithinTheKey(t *testing.T) {
	w := newWorld(t)
	if a := w.own(w.key, ownSpec("mine", `,"name":"n"`)); a.StatusCode != http.StatusOK || !strings.Contains(string(a.body), `"sandbox":{"id":"mine","name":"n"`) {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	w.call(http.StatusCreated, "POST", "/sandboxes/mine/snapshots", `{"name":"kept"}`)
	for _, call := range []string{
		"GET /quixand/v1/sandboxes/mine ", `POST /quixand/v1/sandboxes/mine/timeout {"idleTimeout":1000000000}`,
		"POST /quixand/v1/sandboxes/mine/resume ", `POST /quixand/v1/sandboxes/mine/name {"name":"stolen"}`,
		"GET /quixand/v1/sandboxes/mine/ended ", "GET /quixand/v1/sandboxes/mine/ended?wait=1 ", "DELETE /sandboxes/mine ",
	} {
		part := strings.SplitN(call, " ", 3)
		w.expect(http.StatusNotFound, w.ask(part[0], part[1], part[2], "X-API-KEY", w.other))
		w.expect(http.StatusUnauthorized, w.ask(part[0], part[1], part[2], "X-API-KEY", "wrong"))
	}
	for _, list := range []string{"sandboxes", "snapshots", "ended"} {
		a := w.ask("GET", "/quixand/v1/"+list, "", "X-API-KEY", w.other)
		w.expectOK(a)
		if string(a.body) != "[]" {
			t.Errorf("%s: %s", list, a.body)
		}
	}
	w.expect(http.StatusNotFound, w.own(w.other, ownSpec("fork", `,"fork":"mine"`)))
	w.expect(http.StatusNotFound, w.own(w.other, ownSpec("snap", `,"snapshot":"kept"`)))
	// Names are each key's own, and so is what is told of a creation.
	if a := w.own(w.other, ownSpec("theirs", `,"name":"n"`), "Quixand-Call", "c"); !strings.Contains(string(a.body), `"name":"n"`) {
		t.Errorf("%s", a.body)
	}
	if a := w.own(w.key, ownSpec("theirs", ""), "Quixand-Call", "c"); strings.Contains(string(a.body), `"sandbox"`) {
		t.Errorf("another key's creation: %s", a.body)
	}
}

// TestRootsAreSpaces keeps the sandboxes of one key's roots apart.
func TestRootsAreSpaces(t *testing.T) {
	w := newWorld(t)
	const root = "Quixand-Root"
	w.expectOK(w.own(w.key, ownSpec("here", `,"name":"n"`), root, "%2Fone"))
	w.expectOK(w.own(w.key, ownSpec("there", `,"name":"n"`), root, "%2Fother"))
	w.create(`{"templateID":"base"}`)
	for space, want := range map[string]int{"%2Fone": 1, "%2Fother": 1, "%2Fnone": 0, "": 1} {
		a := w.ask("GET", "/quixand/v1/sandboxes", "", "X-API-KEY", w.key, root, space)
		if n := strings.Count(string(a.body), `"accessToken"`); n != want {
			t.Errorf("%q has %d sandboxes, not %d", space, n, want)
		}
	}
	w.expect(http.StatusNotFound, w.ask("DELETE", "/sandboxes/here", "", "X-API-KEY", w.key, root, "%2Fother"))
	w.expect(http.StatusBadRequest, w.ask("GET", "/quixand/v1/sandboxes", "", "X-API-KEY", w.key, root, "%0a"))
	w.call(http.StatusNoContent, "DELETE", "/sandboxes/here", "") // E2B's clients know no roots
}

// TestOwnCallsKeepToLimits asks for more than keys may have.
func TestOwnCallsKeepToLimits(t *testing.T) {
	w := newWorld(t)
	key := w.newKey(apikeys.Limits{Timeout: time.Minute, Lifetime: time.Hour, Sandboxes: 1, Templates: []string{"base"}})
	for _, more := range []string{
		`,"idleTimeout":-1`, `,"idleTimeout":61000000000`, `,"lifetime":7200000000000`, `,"metadata":{"quixand.serve":"{}"}`, `,"id":"../x"`,
	} {
		w.expect(http.StatusBadRequest, w.own(key, ownSpec("a", more)))
	}
	w.expect(http.StatusForbidden, w.own(key, ownSpec("a", `,"image":"python:3.11-slim"`)))
	w.expect(http.StatusNotFound, w.own(w.key, ownSpec("a", `,"image":"docker.io/library/any:1"`)))
	a := w.own(key, ownSpec("a", ""))
	if !strings.Contains(string(a.body), `"lifetime":3600000000000`) {
		t.Errorf("no lifetime: %s", a.body)
	}
	w.expect(http.StatusTooManyRequests, w.own(key, ownSpec("b", "")))
	w.expect(http.StatusBadRequest, w.ask("POST", "/quixand/v1/sandboxes/a/timeout", `{"idleTimeout":-1}`, "X-API-KEY", key))
}

// TestErrorsTellTheirKind, for clients to which a status is not enough.
func TestErrorsTellTheirKind(t *testing.T) {
	w := newWorld(t)
	w.expectOK(w.own(w.key, ownSpec("a", `,"name":"n"`)))
	w.expectOK(w.own(w.key, ownSpec("b", "")))
	for call, kind := range map[string]error{
		`POST /quixand/v1/sandboxes/b/name {"name":"n"}`: adapters.ErrExists,
		`POST /quixand/v1/sandboxes/b/name {"name":"a"}`: adapters.ErrExists,
		`GET /quixand/v1/sandboxes/none `:                adapters.ErrNotFound,
		`GET /nowhere `:                                  adapters.ErrNotFound,
		`POST /quixand/v1/sandboxes/b/resume `:           adapters.ErrUnsupported, // the fake cannot freeze
	} {
		part := strings.SplitN(call, " ", 3)
		a := w.ask(part[0], part[1], part[2], "X-API-KEY", w.key)
		if want := fmt.Sprintf(`"error_code":%q`, kind.Error()); !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %s", call, a.body)
		}
	}
}
