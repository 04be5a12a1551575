package quixand

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfigPrecedence(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		set  Config
		env  map[string]string
		want Config
	}{
		"defaults": {
			want: Config{Image: "python:3.11-slim", Timeout: 300 * time.Second, Root: filepath.Join(home, ".quixand")},
		},
		"environment": {
			env: map[string]string{
				"QS_ADAPTER": "docker", "QS_RUNTIME": "runsc", "QS_IMAGE": "alpine", "QS_TIMEOUT_DEFAULT": "60",
				"QS_ROOT": "/srv/q", "QS_METADATA": `{"a":"b"}`,
			},
			want: Config{Adapter: "docker", Runtime: "runsc", Image: "alpine", Timeout: time.Minute, Root: "/srv/q", Metadata: map[string]string{"a": "b"}},
		},
		"an engine for a runtime": {
			set:  Config{Root: "/r"},
			env:  map[string]string{"QS_RUNTIME": "docker"},
			want: Config{Adapter: "docker", Image: "python:3.11-slim", Timeout: 300 * time.Second, Root: "/r"},
		},
		"an adapter over an engine for a runtime": {
			set:  Config{Adapter: "podman", Root: "/r"},
			env:  map[string]string{"QS_RUNTIME": "docker"},
			want: Config{Adapter: "podman", Image: "python:3.11-slim", Timeout: 300 * time.Second, Root: "/r"},
		},
		"code over environment": {
			set: Config{Adapter: "x", Runtime: "y", Image: "z", Timeout: time.Second, Root: "/r", Metadata: map[string]string{"c": "d"}},
			env: map[string]string{
				"QS_ADAPTER": "docker", "QS_RUNTIME": "runsc", "QS_IMAGE": "alpine", "QS_TIMEOUT_DEFAULT": "nonsense",
				"QS_ROOT": "/srv/q", "QS_METADATA": "nonsense",
			},
			want: Config{Adapter: "x", Runtime: "y", Image: "z", Timeout: time.Second, Root: "/r", Metadata: map[string]string{"c": "d"}},
		},
		"no timeout": {
			set:  Config{Timeout: NoTimeout, Root: "/r"},
			env:  map[string]string{"QS_TIMEOUT_DEFAULT": "60"},
			want: Config{Image: "python:3.11-slim", Timeout: NoTimeout, Root: "/r"},
		},
		"empty metadata over environment": {
			set:  Config{Metadata: map[string]string{}, Root: "/r"},
			env:  map[string]string{"QS_METADATA": `{"a":"b"}`},
			want: Config{Image: "python:3.11-slim", Timeout: 300 * time.Second, Root: "/r"},
		},
		"home directory": {
			env:  map[string]string{"QS_ROOT": "~/q"},
			want: Config{Image: "python:3.11-slim", Timeout: 300 * time.Second, Root: filepath.Join(home, "q")},
		},
		"relative root": {
			env:  map[string]string{"QS_ROOT": "q/../r"},
			want: Config{Image: "python:3.11-slim", Timeout: 300 * time.Second, Root: filepath.Join(wd, "r")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.set.withDefaults(func(key string) string { return test.env[key] })
			if err != nil {
				t.Fatal(err)
			}
			if got.Adapter != test.want.Adapter || got.Runtime != test.want.Runtime || got.Image != test.want.Image ||
				got.Timeout != test.want.Timeout || got.Root != test.want.Root || !maps.Equal(got.Metadata, test.want.Metadata) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if got.Logger == nil || got.Registry == nil {
				t.Error("no logger or no registry")
			}
		})
	}
}

func TestConfigRefusesNonsense(t *testing.T) {
	bad := map[string][]string{
		"QS_TIMEOUT_DEFAULT": {"0", "-1", "1.5", "NaN", "Inf", "1e3", "5m", " 5", "5 ", "99999999999", "9223372036854775808", "0x10", "five"},
		"QS_METADATA": {
			"a=b", "[]", "null", `"a"`, `{"a":1}`, `{"a":null}`, `{"a":{"b":"c"}}`, `{"a":"b"} x`, `{"a":"b"`, `{"":"b"}`,
			`{"a":"` + strings.Repeat("x", maxMetadata) + `"}`,
		},
	}
	for key, values := range bad {
		for _, value := range values {
			_, err := Config{}.withDefaults(func(k string) string {
				if k == key {
					return value
				}
				return ""
			})
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s=%.40q: %v", key, value, err)
			}
		}
	}
	for name, cfg := range map[string]Config{
		"negative timeout": {Timeout: -time.Second},
		"huge timeout":     {Timeout: 1 << 62},
		"metadata":         {Metadata: map[string]string{"": "x"}},
	} {
		if _, err := cfg.withDefaults(func(string) string { return "" }); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	_, err := Config{}.withDefaults(func(string) string { return "" })
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != ErrInvalid || !strings.Contains(e.Hint, "QS_ROOT") {
		t.Errorf("without a home directory: %v", err)
	}
	if _, err := (Config{Root: "/r"}).withDefaults(func(string) string { return "" }); err != nil {
		t.Errorf("with a root: %v", err)
	}
}

// FuzzMetadata reads what a user may have put into QS_METADATA.
func FuzzMetadata(f *testing.F) {
	f.Add(`{"a":"b","c":"d"}`)
	f.Add(`{"a":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := chooseMetadata(nil, text)
		if err == nil && checkMetadata("", m) != nil {
			t.Errorf("%q was accepted as %v", text, m)
		}
	})
}
