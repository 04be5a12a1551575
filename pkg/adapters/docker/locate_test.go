package docker

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quixand/quixand/pkg/adapters"
)

func TestLocate(t *testing.T) {
	for name, test := range map[string]struct {
		env    map[string]string
		config string // config.json
		host   string
		source string
		kind   error
	}{
		"nothing is said":          {host: "unix:///var/run/docker.sock", source: "this machine"},
		"DOCKER_HOST":              {env: map[string]string{"DOCKER_HOST": "tcp://h:1"}, config: `{"currentContext":"remote"}`, host: "tcp://h:1", source: "DOCKER_HOST"},
		"the current context":      {config: `{"currentContext":"remote"}`, host: "tcp://remote:2376", source: "docker context remote"},
		"another context":          {env: map[string]string{"DOCKER_CONTEXT": "remote"}, host: "tcp://remote:2376", source: "docker context remote"},
		"the default context":      {env: map[string]string{"DOCKER_CONTEXT": "default"}, config: `{"currentContext":"remote"}`, host: "unix:///var/run/docker.sock", source: "this machine"},
		"a context that is not":    {config: `{"currentContext":"none"}`, kind: adapters.ErrInvalid},
		"a broken configuration":   {config: `{`, kind: adapters.ErrInvalid},
		"an engine behind ssh":     {env: map[string]string{"DOCKER_HOST": "ssh://h"}, kind: adapters.ErrUnsupported},
		"a context for a socket":   {config: `{"currentContext":"socket"}`, host: "unix:///run/x.sock", source: "docker context socket"},
		"a context behind ssh too": {config: `{"currentContext":"ssh"}`, kind: adapters.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, v := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION"} {
				t.Setenv(v, "")
			}
			t.Setenv("DOCKER_CONFIG", dir)
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			for context, host := range map[string]string{"remote": "tcp://remote:2376", "socket": "unix:///run/x.sock", "ssh": "ssh://h"} {
				writeContext(t, dir, context, host)
			}
			if test.config != "" {
				write(t, filepath.Join(dir, "config.json"), test.config)
			}
			at, err := locate()
			if test.kind != nil {
				if !errors.Is(err, test.kind) {
					t.Errorf("%+v, %v", at, err)
				}
				return
			}
			if err != nil || at.host != test.host || at.source != test.source {
				t.Errorf("%+v, %v", at, err)
			}
		})
	}
}

// A rootless daemon's socket is used where root's is not ours to use.
func TestLocateRootless(t *testing.T) {
	if usable("/var/run/docker.sock") {
		t.Skip("lacks a machine without root's daemon")
	}
	dir := t.TempDir()
	for _, v := range []string{"DOCKER_HOST", "DOCKER_CONTEXT"} {
		t.Setenv(v, "")
	}
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	l, err := net.Listen("unix", filepath.Join(dir, "docker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if at, err := locate(); err != nil || at.socket() != filepath.Join(dir, "docker.sock") {
		t.Errorf("%+v, %v", at, err)
	}
	if got := probe(adapters.Config{}); !strings.Contains(got.Detail, dir) {
		t.Errorf("%+v", got)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeContext(t *testing.T, dir, name, host string) {
	t.Helper()
	write(t, filepath.Join(dir, "contexts", "meta", contextID(name), "meta.json"),
		`{"Name":"`+name+`","Endpoints":{"docker":{"Host":"`+host+`"}}}`)
}
