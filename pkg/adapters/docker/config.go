package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// config is what the docker command's configuration file says that matters here.
type config struct {
	CurrentContext string
	Auths          map[string]struct{ Auth, IdentityToken string }
	CredsStore     string
	CredHelpers    map[string]string
}

// configDir is where the docker command keeps its configuration.
func configDir() string {
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".docker")
}

func readConfig() (config, error) {
	var cfg config
	path := filepath.Join(configDir(), "config.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil
	}
	if err != nil {
		return cfg, err
	}
	if err := json.Unmarshal(text, &cfg); err != nil {
		return cfg, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// usable reports whether this user may connect to a socket.
func usable(socket string) bool { return unix.Access(socket, unix.R_OK|unix.W_OK) == nil }
