package podman

import (
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blang/semver/v4"

	"github.com/quixand/quixand/internal/bootclock"

	"github.com/quixand/quixand/pkg/adapters"
)

var update = flag.Bool("update", false, "write the golden files anew")

// example is a sandbox with everything at its default.
func example() (*adapters.Spec, *facts) {
	spec := &adapters.Spec{
		ID: "abc123", Root: "/home/me/.quixand", Image: "python:3.11-slim", Workdir: "/workspace",
		Metadata:    map[string]string{"owner": "me"},
		IdleTimeout: 5 * time.Minute, Lifetime: adapters.NoTimeout, Network: adapters.NetworkBridge,
		OnTimeout: adapters.TimeoutKill, Enforcers: []string{"agent", "systemd"},
	}
	f := &facts{
		api:         semver.MustParse("5.8.6"),
		controllers: []string{"cpu", "memory", "pids"},
		addresses:   []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("fe80::7")},
		agent:       "/home/me/.quixand/cache/agent/v1/qs-agent",
		dir:         "/run/user/1000/quixand/0badcafe/abc123",
		log:         "/run/user/1000/quixand/0badcafe/abc123.log",
		image:       spec.Image,
		created:     time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		boot:        bootclock.Mark{Boot: "3f0c", At: 42 * time.Second},
		freezer:     true,
	}
	return spec, f
}

// What the engine is asked for is looked at as a whole: a change of any field
// is a change of the sandbox.
func TestSpecGolden(t *testing.T) {
	for name, change := range map[string]func(*adapters.Spec, *facts){
		"default": func(*adapters.Spec, *facts) {},
		"none": func(s *adapters.Spec, f *facts) {
			s.Network, f.controllers = adapters.NetworkNone, nil
			f.agent = "/usr/libexec/quixand/qs-agent"
		},
		"everything": func(s *adapters.Spec, _ *facts) {
			s.Env = map[string]string{"SECRET": "must not be here"}
			s.Lifetime = time.Hour
			s.OnTimeout = adapters.TimeoutPause
			s.Ports = []adapters.PortMapping{{Port: 80}, {Port: 81, HostPort: 8081}}
			s.Resources = adapters.Resources{MemoryBytes: 1 << 30, CPUs: 1.5, PIDs: 100}
		},
		"podman4": func(_ *adapters.Spec, f *facts) { f.api = semver.MustParse("4.3.1") },
	} {
		t.Run(name, func(t *testing.T) {
			spec, f := example()
			change(spec, f)
			container, err := specFor(spec, f)
			if err != nil {
				t.Fatal(err)
			}
			container.Labels[labelVersion] = "test" // the build's own
			got, err := json.MarshalIndent(container, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "spec-"+name+".json")
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got)+"\n" != string(want) {
				t.Errorf("differs from %s (write it anew with -update):\n%s", golden, got)
			}
			if strings.Contains(string(got), "must not be here") {
				t.Error("the engine is told the environment")
			}
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
			limits, err := limitsFor(test.want, test.controllers)
			if errors.Is(err, adapters.ErrUnsupported) != test.refused {
				t.Fatal(err)
			}
			if err == nil && limits.Pids.Limit != test.pids {
				t.Errorf("pids %d, want %d", limits.Pids.Limit, test.pids)
			}
		})
	}
}

// Every field of a sandbox's description survives its way through the labels.
func TestLabelsRoundTrip(t *testing.T) {
	spec, f := example()
	spec.Resources = adapters.Resources{MemoryBytes: 1, CPUs: 0.5, PIDs: 2}
	spec.IdleTimeout = 1500 * time.Millisecond
	labels, err := labelsFor(spec, f.created, bootclock.Now())
	if err != nil {
		t.Fatal(err)
	}
	info, err := infoFrom(labels)
	if err != nil {
		t.Fatal(err)
	}
	if info.ID != spec.ID || info.Root != spec.Root || info.Image != spec.Image || info.Workdir != spec.Workdir ||
		info.Network != spec.Network || info.Resources != spec.Resources || !info.Created.Equal(f.created) ||
		info.Metadata["owner"] != "me" || info.Adapter != Name {
		t.Errorf("%+v", info)
	}
	if info.IdleTimeout != spec.IdleTimeout || info.Lifetime != spec.Lifetime || info.OnTimeout != spec.OnTimeout ||
		!slices.Equal(info.Enforcers, spec.Enforcers) || info.Age <= 0 || info.Age > time.Minute {
		t.Errorf("%+v", info)
	}
}

func FuzzInfoFrom(f *testing.F) {
	f.Add("abc", "2026-01-02T03:04:05Z", "{}", "{}")
	f.Add("../x", "", "null", "[]")
	f.Fuzz(func(t *testing.T, id, created, metadata, resources string) {
		info, err := infoFrom(map[string]string{
			labelID: id, labelCreated: created, labelMetadata: metadata, labelResources: resources,
		})
		if err == nil && !adapters.ValidID(info.ID) {
			t.Errorf("id %q", info.ID)
		}
	})
}
