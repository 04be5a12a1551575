package adapters

import (
	"errors"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	ok, warn, fail := CheckOK, CheckWarn, CheckFail
	for name, test := range map[string]struct {
		podman, docker CheckStatus // empty: not linked
		want           string
		tried          int
	}{
		"nothing is linked":        {want: "podman"},
		"one is linked":            {docker: fail, want: "docker"},
		"both are there":           {podman: ok, docker: ok, want: "podman", tried: 1},
		"Docker alone":             {podman: fail, docker: ok, want: "docker", tried: 2},
		"rootful Docker alone":     {podman: fail, docker: warn, want: "docker", tried: 2},
		"rootless before rootful":  {podman: warn, docker: ok, want: "docker", tried: 2},
		"nothing that is rootless": {podman: warn, docker: warn, want: "podman", tried: 2},
		"none":                     {podman: fail, docker: fail, tried: 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := new(Registry)
			for engine, status := range map[string]CheckStatus{"podman": test.podman, "docker": test.docker} {
				if status != "" {
					r.RegisterProbe(engine, func(Config) Check {
						return Check{Name: engine, Status: status, Detail: "what is with " + engine, Cure: "start " + engine}
					})
				}
			}
			got, tried, err := r.Choose(Config{})
			if got != test.want || len(tried) != test.tried {
				t.Errorf("%q, tried %v, %v", got, tried, err)
			}
			if (err != nil) != (test.want == "") {
				t.Fatal(err)
			}
			if err == nil {
				return
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != ErrUnavailable || e.Hint != "start podman; or start docker" ||
				!strings.Contains(e.Error(), "podman: what is with podman; docker: what is with docker") {
				t.Errorf("%v, hint %q", err, e.Hint)
			}
		})
	}
}
