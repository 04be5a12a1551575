package quixand

import (
	"errors"
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/pkg/adapters"
)

// Where no adapter is named one is chosen, and a check tells which and why.
func TestAdapterIsChosen(t *testing.T) {
	engine := fake.NewEngine()
	defer engine.Close()
	t.Setenv("QS_ADAPTER", "")
	for name, test := range map[string]struct {
		podman, docker adapters.CheckStatus
		want           string // in the check
	}{
		"Podman": {adapters.CheckOK, adapters.CheckOK, "podman was chosen (podman: is ok)"},
		"Docker": {adapters.CheckFail, adapters.CheckWarn, "docker was chosen (podman: is fail; docker: is warn)"},
		"none":   {adapters.CheckFail, adapters.CheckFail, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := new(adapters.Registry)
			for name, status := range map[string]adapters.CheckStatus{"podman": test.podman, "docker": test.docker} {
				r.Register(name, engine.Open)
				r.RegisterProbe(name, func(adapters.Config) Check {
					return Check{Name: name, Status: status, Detail: "is " + string(status), Cure: "start it"}
				})
			}
			c, err := New(&Config{Root: t.TempDir(), Registry: r})
			if test.want == "" {
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Kind != ErrUnavailable || e.Hint == "" || !strings.Contains(err.Error(), "podman: is fail; docker: is fail") {
					t.Errorf("New: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if checks := c.Check(t.Context()); checks[0].Name != "adapter" || checks[0].Detail != test.want {
				t.Errorf("%+v", checks[0])
			}
		})
	}
}
