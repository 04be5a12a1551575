package local

import (
	"slices"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/pkg/adapters"
)

// Every field of a sandbox's description survives its way through the labels.
func TestLabelsRoundTrip(t *testing.T) {
	spec := &adapters.Spec{
		ID: "abc123", Root: "/home/me/.quixand", Image: "python:3.11-slim", Workdir: "/workspace",
		Metadata: map[string]string{"owner": "me"}, Lifetime: adapters.NoTimeout, Network: adapters.NetworkBridge,
		OnTimeout: adapters.TimeoutKill, Enforcers: []string{"agent", "systemd"},
	}
	created := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	spec.Resources = adapters.Resources{MemoryBytes: 1, CPUs: 0.5, PIDs: 2}
	spec.IdleTimeout = 1500 * time.Millisecond
	labels, err := labelsFor(spec, spec.Resources, created, bootclock.Now())
	if err != nil {
		t.Fatal(err)
	}
	info, err := infoFrom(labels)
	if err != nil {
		t.Fatal(err)
	}
	if info.ID != spec.ID || info.Root != spec.Root || info.Image != spec.Image || info.Workdir != spec.Workdir ||
		info.Network != spec.Network || info.Resources != spec.Resources || !info.Created.Equal(created) ||
		info.Metadata["owner"] != "me" {
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
			LabelID: id, labelCreated: created, labelMetadata: metadata, labelResources: resources,
		})
		if err == nil && !adapters.ValidID(info.ID) {
			t.Errorf("id %q", info.ID)
		}
	})
}
