package podman

import (
	"slices"
	"testing"

	"github.com/blang/semver/v4"

	"github.com/quixand/quixand/internal/golden"
	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// example is a sandbox with everything at its default.
func example() *local.Spec {
	return &local.Spec{
		Name: "qs-abc123", Hostname: "abc123",
		Labels:     map[string]string{local.LabelID: "abc123"},
		Image:      "python:3.11-slim",
		Entrypoint: "/run/quixand/qs-agent", Args: []string{"--id=abc123"},
		Capabilities: []string{"CAP_CHOWN"},
		Agent:        "/home/me/.quixand/cache/agent/v1/qs-agent", Relabel: true,
		Dir: "/run/user/1000/quixand/0badcafe/abc123", DirInside: "/run/quixand/sock",
		Log: "/run/user/1000/quixand/0badcafe/abc123.log", LogBytes: 1 << 16,
		Network:   adapters.NetworkBridge,
		Resources: adapters.Resources{PIDs: 4096},
	}
}

// What the engine is asked for is looked at as a whole: a change of any field
// is a change of the sandbox.
func TestSpecGolden(t *testing.T) {
	for name, change := range map[string]func(*local.Spec){
		"default": func(*local.Spec) {},
		"none": func(c *local.Spec) {
			c.Network, c.Resources, c.Relabel = adapters.NetworkNone, adapters.Resources{}, false
		},
		"everything": func(c *local.Spec) {
			c.ImageGoes = true
			c.Ports = []adapters.PortMapping{{Port: 80}, {Port: 81, HostPort: 8081}}
			c.Sudo = "/usr/local/bin/sudo"
			c.Resources = adapters.Resources{MemoryBytes: 1 << 30, CPUs: 1.5, PIDs: 100}
		},
		"podman4": func(*local.Spec) {},
	} {
		t.Run(name, func(t *testing.T) {
			c, api := example(), "5.8.6"
			if change(c); name == "podman4" {
				api = "4.3.1"
			}
			golden.Check(t, "spec-"+name, specFor(c, semver.MustParse(api)))
		})
	}
}

func TestWayOut(t *testing.T) {
	for api, want := range map[string]struct {
		mode    string
		options []string
	}{
		"4.3.1": {"slirp4netns", []string{"allow_host_loopback=false"}},
		"4.9.4": {"slirp4netns", []string{"allow_host_loopback=false"}},
		"5.0.0": {"pasta", []string{"--no-map-gw"}},
		"5.2.5": {"pasta", []string{"--no-map-gw"}},
		"5.3.0": {"pasta", []string{"--no-map-gw", "--map-guest-addr", "none"}},
		"5.8.6": {"pasta", []string{"--no-map-gw", "--map-guest-addr", "none"}},
	} {
		ns, options := wayOut(semver.MustParse(api))
		if ns.Mode != want.mode || !slices.Equal(options[want.mode], want.options) {
			t.Errorf("%s: %v, %v", api, ns, options)
		}
	}
}
