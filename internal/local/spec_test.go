package local

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/internal/golden"
	"github.com/quixand/quixand/pkg/adapters"
)

// example is a sandbox with everything at its default.
func example() (*adapters.Spec, *Facts, *place) {
	spec := &adapters.Spec{
		ID: "abc123", Root: "/home/me/.quixand", Image: "python:3.11-slim", Workdir: "/workspace",
		Metadata:    map[string]string{"owner": "me"},
		IdleTimeout: 5 * time.Minute, Lifetime: adapters.NoTimeout, Network: adapters.NetworkBridge,
		OnTimeout: adapters.TimeoutKill, Enforcers: []string{"agent", "systemd"},
	}
	f := &Facts{
		Controllers: []string{"cpu", "memory", "pids"},
		Addresses:   []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("fe80::7")},
		Freezer:     true,
		Shared:      true,
	}
	at := &place{
		agent:   "/home/me/.quixand/cache/agent/v1/qs-agent",
		dir:     "/run/user/1000/quixand/0badcafe/abc123",
		log:     "/run/user/1000/quixand/0badcafe/abc123.log",
		image:   spec.Image,
		created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		boot:    bootclock.Mark{Boot: "3f0c", At: 42 * time.Second},
	}
	return spec, f, at
}

// What an engine is asked for is looked at as a whole: a change of any field is
// a change of the sandbox.
func TestSpecGolden(t *testing.T) {
	for name, change := range map[string]func(*adapters.Spec, *Facts, *place){
		"default": func(*adapters.Spec, *Facts, *place) {},
		"none": func(s *adapters.Spec, f *Facts, at *place) {
			s.Network, f.Controllers = adapters.NetworkNone, nil
			at.agent = "/usr/libexec/quixand/qs-agent"
		},
		"everything": func(s *adapters.Spec, _ *Facts, _ *place) {
			s.Name = "web"
			s.Env = map[string]string{"SECRET": "must not be here"}
			s.Lifetime = time.Hour
			s.OnTimeout = adapters.TimeoutPause
			s.Ephemeral, s.FixedTimeout = true, true
			s.User, s.Sudo = "www", true
			s.Ports = []adapters.PortMapping{{Port: 80}, {Port: 81, HostPort: 8081}}
			s.Resources = adapters.Resources{MemoryBytes: 1 << 30, CPUs: 1.5, PIDs: 100}
		},
		"elsewhere": func(s *adapters.Spec, f *Facts, _ *place) {
			f.Shared, f.AgentArgs = false, []string{"--more"}
			s.Fork = "def456"
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec, f, at := example()
			change(spec, f, at)
			container, err := specFor(spec, f, at)
			if err != nil {
				t.Fatal(err)
			}
			container.Labels[labelVersion] = "test" // the build's own
			golden.Check(t, "spec-"+name, container)
			if text, err := json.Marshal(container); err != nil || strings.Contains(string(text), "must not be here") {
				t.Errorf("the engine is told the environment: %v", err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	all := []string{"cpu", "memory", "pids"}
	for name, test := range map[string]struct {
		want        adapters.Resources
		controllers []string
		refused     bool
		pids        int64
	}{
		"default":                {controllers: all, pids: defaultPIDs},
		"default, no controller": {pids: 0},
		"own pids":               {want: adapters.Resources{PIDs: 7}, controllers: all, pids: 7},
		"pids, no controller":    {want: adapters.Resources{PIDs: 7}, controllers: []string{"cpu", "memory"}, refused: true},
		"memory, no controller":  {want: adapters.Resources{MemoryBytes: 1}, controllers: []string{"cpu", "pids"}, refused: true},
		"cpu, no controller":     {want: adapters.Resources{CPUs: 1}, controllers: []string{"memory", "pids"}, refused: true},
		"nothing to enforce":     {want: adapters.Resources{CPUs: 1}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			limits, err := limitsFor(test.want, &Facts{Controllers: test.controllers})
			if errors.Is(err, adapters.ErrUnsupported) != test.refused {
				t.Fatal(err)
			}
			if err == nil && limits.PIDs != test.pids {
				t.Errorf("pids %d, want %d", limits.PIDs, test.pids)
			}
		})
	}
}
