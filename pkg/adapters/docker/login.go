package docker

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	helper "github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
)

// hub is how the docker command calls the registry of images that name none.
const hub = "https://index.docker.io/v1/"

// authFor returns the credentials for the registry of an image as the daemon takes
// them, or nothing.
func authFor(image string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", err
	}
	auth, err := credentialsFor(reference.Domain(named))
	if err != nil || auth == (registry.AuthConfig{}) {
		return "", err
	}
	return authconfig.Encode(auth)
}

// loginAt returns the credentials for a registry as BuildKit takes them, or
// nothing.
func loginAt(host string) (user, secret string, err error) {
	auth, err := credentialsFor(host)
	if auth.IdentityToken != "" {
		return "", auth.IdentityToken, err
	}
	return auth.Username, auth.Password, err
}

// credentialsFor returns those that the user has given the docker command for a
// registry, or none.
func credentialsFor(host string) (registry.AuthConfig, error) {
	if host == "docker.io" || host == "registry-1.docker.io" {
		host = hub
	}
	cfg, err := readConfig()
	if err != nil {
		return registry.AuthConfig{}, err
	}
	auth, err := cfg.login(host)
	if err == nil && auth != (registry.AuthConfig{}) {
		auth.ServerAddress = host
	}
	return auth, err
}

// login looks where the docker command would: in the helper of the registry, in
// the one for all, or in the file itself.
func (c *config) login(server string) (registry.AuthConfig, error) {
	program := c.CredsStore
	if own, ok := c.CredHelpers[server]; ok {
		program = own
	}
	if program != "" {
		return askHelper(program, server)
	}
	stored := c.Auths[server]
	auth := registry.AuthConfig{IdentityToken: stored.IdentityToken}
	if stored.Auth != "" {
		plain, err := base64.StdEncoding.DecodeString(stored.Auth)
		if err != nil {
			return auth, fmt.Errorf("credentials for %s: %w", server, err)
		}
		auth.Username, auth.Password, _ = strings.Cut(strings.TrimRight(string(plain), "\x00"), ":")
	}
	return auth, nil
}

// askHelper runs a credential helper. One that knows nothing is no failure.
func askHelper(program, server string) (registry.AuthConfig, error) {
	known, err := helper.Get(helper.NewShellProgramFunc("docker-credential-"+program), server)
	if credentials.IsErrCredentialsNotFound(err) {
		return registry.AuthConfig{}, nil
	}
	if err != nil {
		return registry.AuthConfig{}, fmt.Errorf("docker-credential-%s: %w", program, err)
	}
	if known.Username == "<token>" {
		return registry.AuthConfig{IdentityToken: known.Secret}, nil
	}
	return registry.AuthConfig{Username: known.Username, Password: known.Secret}, nil
}
