package docker

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/quixand/quixand/pkg/adapters"
)

// endpoint is where a daemon is, and who says so.
type endpoint struct {
	host    string
	source  string // in words
	options []client.Opt
}

// locate finds out where the user's daemon is, as the docker command does:
// DOCKER_HOST, DOCKER_CONTEXT, the current context of its configuration, or else
// this machine's. It touches none of them.
func locate() (endpoint, error) {
	if host := os.Getenv(client.EnvOverrideHost); host != "" {
		return checked(endpoint{host, "DOCKER_HOST", []client.Opt{client.FromEnv}})
	}
	cfg, err := readConfig()
	if err != nil {
		return endpoint{}, invalid(err)
	}
	if name := cmp.Or(os.Getenv("DOCKER_CONTEXT"), cfg.CurrentContext); name != "" && name != "default" {
		return contextEndpoint(name)
	}
	return own(), nil
}

// own is the daemon of this machine: a rootless one of this user's where there is one
// and none of root's that this user may use.
func own() endpoint {
	socket := strings.TrimPrefix(client.DefaultDockerHost, "unix://")
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && !usable(socket) {
		if rootless := filepath.Join(dir, "docker.sock"); usable(rootless) {
			socket = rootless
		}
	}
	host := "unix://" + socket
	return endpoint{host, "this machine", []client.Opt{client.WithHost(host), client.WithAPIVersionFromEnv()}}
}

// contextEndpoint reads what `docker context create` has written.
func contextEndpoint(name string) (endpoint, error) {
	id := contextID(name)
	source := "docker context " + name
	text, err := os.ReadFile(filepath.Join(configDir(), "contexts", "meta", id, "meta.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint{}, &adapters.Error{
			Adapter: Name, Kind: adapters.ErrInvalid, Err: fmt.Errorf("there is no %s", source),
			Hint: "docker context ls shows those there are, docker context use default goes back to this machine's",
		}
	}
	if err != nil {
		return endpoint{}, invalid(err)
	}
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return endpoint{}, invalid(fmt.Errorf("%s: %w", source, err))
	}
	host := meta.Endpoints["docker"].Host
	options := []client.Opt{client.WithHost(host), client.WithAPIVersionFromEnv()}
	if tls := filepath.Join(configDir(), "contexts", "tls", id, "docker"); exists(tls) {
		file := func(name string) string {
			if path := filepath.Join(tls, name); exists(path) {
				return path
			}
			return ""
		}
		options = append(options, client.WithTLSClientConfig(file("ca.pem"), file("cert.pem"), file("key.pem")))
	}
	return checked(endpoint{host, source, options})
}

// contextID is the name of a context's directories.
func contextID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// checked refuses what the client cannot reach.
func checked(at endpoint) (endpoint, error) {
	if strings.HasPrefix(at.host, "ssh://") {
		return at, &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnsupported,
			Err:  fmt.Errorf("%s names a daemon that is reached by ssh: %s", at.source, at.host),
			Hint: "forward its socket (ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST) and set DOCKER_HOST=unix:///tmp/docker.sock",
		}
	}
	return at, nil
}

// socket is the path of the daemon's socket, or nothing.
func (at *endpoint) socket() string {
	path, ok := strings.CutPrefix(at.host, "unix://")
	if !ok {
		return ""
	}
	return path
}

// clientOptions are what the client is made with. A connection whose dial was
// given up becomes idle also after all were given back, and that is for half a
// minute unless it is bounded; to a socket it costs little to dial again.
func (at *endpoint) clientOptions() []client.Opt {
	if at.socket() == "" {
		return at.options
	}
	brief := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: 5 * time.Second}}
	return slices.Concat([]client.Opt{client.WithHTTPClient(brief)}, at.options, []client.Opt{client.WithScheme("http")})
}

// explain adds to an error of the first call where the daemon was looked for,
// and what to do.
func (at *endpoint) explain(err error) error {
	e := *mapped(err)
	e.Err = fmt.Errorf("docker at %s (%s): %w", at.host, at.source, e.Err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Hint = adapters.ErrPermission, "join the group of the socket: sudo usermod -aG docker $USER, then log in again; or use rootless Docker"
	case errors.Is(e.Kind, adapters.ErrUnavailable):
		e.Hint = "start Docker: sudo systemctl start docker, or install docker.io; or name a daemon with DOCKER_HOST"
	}
	return &e
}

func invalid(err error) error {
	return &adapters.Error{Adapter: Name, Kind: adapters.ErrInvalid, Err: err}
}
