package quixand

import (
	"errors"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

var testConfig = Config{Root: "/root", Image: "image", Timeout: time.Minute, Metadata: map[string]string{"a": "config", "b": "config"}}

func TestSpecDefaults(t *testing.T) {
	s, err := (&Options{Metadata: map[string]string{"b": "option"}}).spec(&testConfig)
	if err != nil {
		t.Fatal(err)
	}
	if !adapters.ValidID(s.ID) || len(s.ID) != 20 {
		t.Errorf("id %q", s.ID)
	}
	if s.Image != "image" || s.Root != "/root" || s.Workdir != "/workspace" || s.IdleTimeout != time.Minute ||
		s.Lifetime != NoTimeout || s.Network != NetworkBridge || s.Pull != PullMissing {
		t.Errorf("%+v", s)
	}
	if s.Budgets != (Budgets{Pull: 15 * time.Minute, Create: 30 * time.Second, Start: 30 * time.Second, Ready: 15 * time.Second}) {
		t.Errorf("%+v", s.Budgets)
	}
	if !maps.Equal(s.Metadata, map[string]string{"a": "config", "b": "option"}) {
		t.Errorf("%v", s.Metadata)
	}
	if len(testConfig.Metadata) != 2 || testConfig.Metadata["b"] != "config" {
		t.Error("the configuration was changed")
	}
}

// TestSpecRefusals makes sure that what cannot work is refused here, and so in
// the same words for every engine.
func TestSpecRefusals(t *testing.T) {
	for name, o := range map[string]Options{
		"negative timeout":         {Timeout: -2},
		"huge timeout":             {Timeout: math.MaxInt64},
		"negative lifetime":        {Lifetime: -time.Hour},
		"huge lifetime":            {Lifetime: maxTimeout + 1},
		"relative workdir":         {Workdir: "x"},
		"unclean workdir":          {Workdir: "/a/../b"},
		"workdir with slash":       {Workdir: "/a/"},
		"workdir with NUL":         {Workdir: "/a\x00"},
		"long workdir":             {Workdir: "/" + strings.Repeat("x", 4096)},
		"template with line break": {Template: "a\nb"},
		"env without name":         {Env: map[string]string{"": "x"}},
		"env name with =":          {Env: map[string]string{"A=B": "x"}},
		"env name with NUL":        {Env: map[string]string{"A\x00": "x"}},
		"env value with NUL":       {Env: map[string]string{"A": "\x00"}},
		"env not UTF-8":            {Env: map[string]string{"A": "\xff"}},
		"large env":                {Env: map[string]string{"A": strings.Repeat("x", maxEnv)}},
		"metadata without key":     {Metadata: map[string]string{"": "x"}},
		"metadata not UTF-8":       {Metadata: map[string]string{"a": "\xff"}},
		"large metadata":           {Metadata: map[string]string{"a": strings.Repeat("x", maxMetadata)}},
		"network":                  {Network: "host"},
		"pull policy":              {Pull: "sometimes"},
		"port 0":                   {Publish: []PortMapping{{Port: 0}}},
		"port 65536":               {Publish: []PortMapping{{Port: 65536}}},
		"negative host port":       {Publish: []PortMapping{{Port: 1, HostPort: -1}}},
		"host port twice":          {Publish: []PortMapping{{Port: 1, HostPort: 9}, {Port: 2, HostPort: 9}}},
		"negative memory":          {Resources: Resources{MemoryBytes: -1}},
		"negative processes":       {Resources: Resources{PIDs: -1}},
		"negative CPUs":            {Resources: Resources{CPUs: -1}},
		"no number of CPUs":        {Resources: Resources{CPUs: math.NaN()}},
		"infinite CPUs":            {Resources: Resources{CPUs: math.Inf(1)}},
		"negative budget":          {Budgets: Budgets{Ready: -1}},
	} {
		if _, err := o.spec(&testConfig); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSpecLimits(t *testing.T) {
	o := Options{
		Timeout: NoTimeout, Lifetime: maxTimeout, Workdir: "/", Network: NetworkNone, Pull: PullNever,
		Publish: []PortMapping{{Port: 65535}, {Port: 65535}, {Port: 1, HostPort: 65535}},
		Env:     map[string]string{"A": "b\nc", "É": ""},
	}
	if s, err := o.spec(&testConfig); err != nil || s.IdleTimeout != NoTimeout {
		t.Errorf("%+v, %v", s, err)
	}
}
