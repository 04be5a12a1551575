package environ

import (
	"testing"

	"github.com/quixand/quixand/internal/agent/identity"
)

var alice = identity.User{Name: "alice", Home: "/home/alice", Shell: "/bin/sh"}

func TestLaterWins(t *testing.T) {
	e := New("id1", []string{"A=image", "B=image", "C=image", "HOME=/root", "container=podman", "TERM=dumb"})
	if err := e.SetGlobal(map[string]string{"B": "global", "C": "global", "E2B_SANDBOX": "false"}); err != nil {
		t.Fatal(err)
	}
	vars, err := e.For(alice, map[string]string{"C": "request"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"A": "image", "B": "global", "C": "request",
		"HOME": "/home/alice", "USER": "alice", "LOGNAME": "alice", "SHELL": "/bin/sh",
		"PATH": DefaultPath, "E2B_SANDBOX": "true", "E2B_SANDBOX_ID": "id1",
	} {
		if vars[name] != want {
			t.Errorf("%s=%q, want %q", name, vars[name], want)
		}
	}
	for _, name := range []string{"container", "TERM"} {
		if v, ok := vars[name]; ok {
			t.Errorf("%s=%q leaked", name, v)
		}
	}
}

func TestRequestsDoNotTouchOneAnother(t *testing.T) {
	e := New("id1", nil)
	if _, err := e.For(alice, map[string]string{"X": "1"}); err != nil {
		t.Fatal(err)
	}
	vars, _ := e.For(alice, nil)
	if _, ok := vars["X"]; ok {
		t.Error("a request's variable stayed")
	}
	e.Global()["Y"] = "1"
	if _, ok := e.Global()["Y"]; ok {
		t.Error("the global environment was changed from outside")
	}
}

func TestImpossibleVariablesAreRefused(t *testing.T) {
	e := New("id1", nil)
	for _, vars := range []map[string]string{{"": "x"}, {"A=B": "x"}, {"A\x00": "x"}, {"A": "\x00"}} {
		if _, err := e.For(alice, vars); err == nil {
			t.Errorf("%q accepted", vars)
		}
		if err := e.SetGlobal(vars); err == nil {
			t.Errorf("%q accepted as global", vars)
		}
	}
}
