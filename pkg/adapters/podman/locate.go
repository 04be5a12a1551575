package podman

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"go.podman.io/common/pkg/config"

	"github.com/quixand/quixand/pkg/adapters"
)

// endpoint is where an engine listens, or would if it were started.
type endpoint struct {
	// sockets are tried in order.
	sockets []string
	// own is where a service of ours may listen; empty when the user has
	// named the engine, so that another one is not what is wanted.
	own string
}

// locate finds out where the user's engine is, without touching it: in
// CONTAINER_HOST, in podman's default connection, or else in the user's
// runtime directory. A service of ours would listen in dir.
func locate(dir string) (endpoint, error) {
	if uri := os.Getenv("CONTAINER_HOST"); uri != "" {
		socket, err := socketOf(uri)
		if err != nil {
			return endpoint{}, err
		}
		return endpoint{sockets: []string{socket}}, nil
	}
	if socket := defaultConnection(); socket != "" {
		return endpoint{sockets: []string{socket}}, nil
	}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		runtime = filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
	}
	own := filepath.Join(dir, "podman.sock")
	return endpoint{sockets: []string{filepath.Join(runtime, "podman", "podman.sock"), own}, own: own}, nil
}

// socketOf returns the path in a unix URI. "unix://run/x" is read as podman
// reads it: as /run/x.
func socketOf(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", &adapters.Error{Adapter: Name, Kind: adapters.ErrInvalid, Err: fmt.Errorf("CONTAINER_HOST: %w", err)}
	}
	if u.Scheme != "unix" {
		return "", &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnsupported,
			Err:  fmt.Errorf("CONTAINER_HOST names an engine by %q; only unix sockets of this machine work, engines elsewhere may come later", u.Scheme),
			Hint: "unset CONTAINER_HOST to use the Podman of this machine",
		}
	}
	return filepath.Join("/", u.Host, u.Path), nil
}

// defaultConnection returns the socket of podman's default connection, or
// nothing. A default that leads to another machine is for podman --remote; the
// engine of this one is beside it.
func defaultConnection() string {
	cfg, err := config.Default()
	if err != nil {
		return ""
	}
	conn, err := cfg.GetConnection("", true)
	if err != nil {
		return ""
	}
	u, err := url.Parse(conn.URI)
	if err != nil || u.Scheme != "unix" {
		return ""
	}
	return filepath.Join("/", u.Host, u.Path)
}
