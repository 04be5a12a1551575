package quixand

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/pkg/adapters"
)

// Config says how a [Client] works. A zero field takes its value from the
// environment variable in its comment, and else the default given there. A
// variable that is set and cannot be understood is ErrInvalid; an empty one is
// not set.
type Config struct {
	Adapter  string             // QS_ADAPTER: podman, docker or remote; or the first engine that can be had here, see Client.Check
	Runtime  string             // QS_RUNTIME, or the engine's default OCI runtime; podman or docker stands for that adapter, if none is named
	Image    string             // QS_IMAGE, or python:3.11-slim
	Timeout  time.Duration      // QS_TIMEOUT_DEFAULT in whole seconds, or 300 s; NoTimeout for none
	Root     string             // QS_ROOT, or ~/.quixand
	Metadata map[string]string  // QS_METADATA, a JSON object of strings; added to every sandbox, options win
	Enforcer string             // QS_ENFORCER, or auto: who ends sandboxes when their time is up; see the package's comment
	QSPath   string             // QS_BIN, or the qs beside this program or in $PATH; what systemd starts to look at a sandbox
	OneShot  bool               // the program ends before its sandboxes do, so that nothing in it can keep their timeouts
	Logger   hclog.Logger       // nil logs nothing
	Registry *adapters.Registry // nil is adapters.Default
	Name     string             // of the program, for who asks who has killed a sandbox; empty is that of its file
}

const (
	defaultImage   = "python:3.11-slim"
	defaultTimeout = 300 * time.Second
	defaultRoot    = ".quixand" // in the home directory
)

// withDefaults completes the configuration: what is set in it wins over the
// environment, and that over the defaults.
func (c Config) withDefaults(getenv func(string) string) (Config, error) {
	c.Adapter = firstSet(c.Adapter, getenv("QS_ADAPTER"))
	c.Runtime = firstSet(c.Runtime, getenv("QS_RUNTIME"))
	if c.Runtime == "podman" || c.Runtime == "docker" { // which no OCI runtime is called
		c.Adapter, c.Runtime = firstSet(c.Adapter, c.Runtime), ""
	}
	c.Image = firstSet(c.Image, getenv("QS_IMAGE"), defaultImage)
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Registry == nil {
		c.Registry = adapters.Default
	}
	c.Enforcer = firstSet(c.Enforcer, getenv("QS_ENFORCER"), autoEnforcer)
	c.QSPath = firstSet(c.QSPath, getenv("QS_BIN"))
	if err := checkEnforcer(c.Enforcer); err != nil {
		return c, err
	}
	var err error
	if c.Timeout, err = chooseTimeout(c.Timeout, getenv("QS_TIMEOUT_DEFAULT")); err != nil {
		return c, err
	}
	if c.Metadata, err = chooseMetadata(c.Metadata, getenv("QS_METADATA")); err != nil {
		return c, err
	}
	c.Root, err = chooseRoot(c.Root, getenv("QS_ROOT"))
	return c, err
}

func firstSet(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func chooseTimeout(set time.Duration, env string) (time.Duration, error) {
	if set != 0 {
		return set, checkTimeout("Config.Timeout", set, minTimeout)
	}
	if env == "" {
		return defaultTimeout, nil
	}
	seconds, err := strconv.ParseInt(env, 10, 64)
	if err != nil || seconds < 1 || seconds > int64(maxTimeout/time.Second) {
		return 0, invalid("QS_TIMEOUT_DEFAULT is %q, not a number of seconds from 1 to %d", env, int64(maxTimeout/time.Second))
	}
	return time.Duration(seconds) * time.Second, nil
}

func chooseMetadata(set map[string]string, env string) (map[string]string, error) {
	if set != nil {
		return set, checkMetadata("Config.Metadata", set)
	}
	if env == "" {
		return nil, nil
	}
	m, err := parseMetadata(env)
	if err != nil {
		return nil, invalid("QS_METADATA is not a JSON object of strings: %v", err)
	}
	return m, checkMetadata("QS_METADATA", m)
}

func parseMetadata(text string) (map[string]string, error) {
	var values map[string]*string
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&values); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows it")
	}
	if values == nil {
		return nil, errors.New("it is null")
	}
	m := make(map[string]string, len(values))
	for k, v := range values {
		if v == nil {
			return nil, fmt.Errorf("%q is null", k)
		}
		m[k] = *v
	}
	return m, nil
}

// chooseRoot returns an absolute path: it is a label of every sandbox, and must
// mean the same in every working directory.
func chooseRoot(set, env string) (string, error) {
	root := firstSet(set, env)
	if root == "" || root == "~" || strings.HasPrefix(root, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			e := invalid("no home directory for the Quixand root: %v", err)
			e.Hint = "set QS_ROOT to an absolute path"
			return "", e
		}
		if root == "" {
			root = defaultRoot
		}
		root = filepath.Join(home, strings.TrimPrefix(root, "~"))
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return "", invalid("Quixand root %q: %v", root, err)
	}
	return abs, nil
}
