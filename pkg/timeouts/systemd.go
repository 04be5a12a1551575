package timeouts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/pkg/adapters"
)

// Systemd has the user's systemd start `qs sandbox reap ID` by transient
// timers. A timer is gone once it has fired and what it started has ended.
// Nothing is kept in this process between calls.
type Systemd struct {
	dir    string // of the user's runtime files
	qs     string
	prefix string
	where  string
	env    []string
}

var _ Enforcer = (*Systemd)(nil)

// SystemdConfig says whose sandboxes are meant and who looks at them.
type SystemdConfig struct {
	QS      string // absolute path of the qs program
	Root    string // the Quixand root
	RootKey string // short, of letters and digits; in the units' names
	Adapter string
	Getenv  func(string) string
}

// errNoManager is for hosts, or sessions, without a systemd of the user's.
var errNoManager = &adapters.Error{
	Kind: adapters.ErrUnsupported,
	Err:  errors.New("no systemd --user runs for this session"),
	Hint: "log in through PAM, or run: loginctl enable-linger $USER",
}

// NewSystemd fails with ErrUnsupported where no systemd of the user's runs. It
// does not speak to it yet.
func NewSystemd(cfg SystemdConfig) (*Systemd, error) {
	dir := runtimeDir(cfg.Getenv)
	if _, err := os.Stat(managerSocket(dir)); err != nil {
		return nil, errNoManager
	}
	return &Systemd{
		dir:    dir,
		qs:     cfg.QS,
		prefix: "quixand-" + cfg.RootKey + "-" + cfg.Adapter + "-",
		where:  cfg.Root,
		env:    environment(cfg),
	}, nil
}

func runtimeDir(getenv func(string) string) string {
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
}

// inherited are the variables that decide which engine, images and agent are
// meant. The look at a sandbox must mean the same.
var inherited = []string{
	"PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
	"CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "DBUS_SESSION_BUS_ADDRESS",
	"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_API_VERSION", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
	"QS_RUNTIME", "QS_AGENT", "QS_ENFORCER",
}

// environment leaves out what systemd would refuse: it would refuse the whole
// timer.
func environment(cfg SystemdConfig) []string {
	env := []string{"QS_ROOT=" + cfg.Root, "QS_ADAPTER=" + cfg.Adapter, "QS_BIN=" + cfg.QS}
	for _, name := range inherited {
		if value := cfg.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return slices.DeleteFunc(env, func(v string) bool {
		return !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl)
	})
}

// Name implements [Enforcer].
func (s *Systemd) Name() string { return SystemdName }

// timers is the pattern of the names of a sandbox's timers.
func (s *Systemd) timers(id string) string { return s.prefix + id + "-*.timer" }

// Arm implements [Enforcer]. There is never a moment without a timer, hence a
// new one beside the old.
func (s *Systemd) Arm(ctx context.Context, id string, after time.Duration, note Note) error {
	return s.with(ctx, func(ctx context.Context, m *manager) error {
		due := bootclock.Now().At + after
		old, err := m.list(ctx, s.timers(id))
		if err != nil {
			return err
		}
		var late []string
		for _, timer := range old {
			switch next, err := m.next(ctx, timer); {
			case err != nil:
				return err
			case next == 0: // it has fired; maybe it is its look that arms the next one
			case next <= due:
				return nil
			default:
				late = append(late, timer.Name)
			}
		}
		if err := m.start(ctx, s.units(id, after, note)); err != nil {
			return err
		}
		return m.stop(ctx, late...)
	})
}

// Disarm implements [Enforcer]. A look that is under way, which may be the
// caller, goes on.
func (s *Systemd) Disarm(ctx context.Context, id string) error {
	return s.with(ctx, func(ctx context.Context, m *manager) error {
		timers, err := m.list(ctx, s.timers(id))
		if err != nil {
			return err
		}
		var names []string
		for _, t := range timers {
			names = append(names, t.Name)
		}
		return m.stop(ctx, names...)
	})
}

// Armed implements [Enforcer].
func (s *Systemd) Armed(ctx context.Context) (ids []string, err error) {
	return ids, s.with(ctx, func(ctx context.Context, m *manager) error {
		timers, err := m.list(ctx, s.timers("*"))
		for _, t := range timers {
			id, _, _ := strings.Cut(strings.TrimPrefix(t.Name, s.prefix), "-")
			if adapters.ValidID(id) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		return err
	})
}

// Close implements [Enforcer]. Timers stay: that is what they are for.
func (s *Systemd) Close() {}

// with connects for one piece of work. A connection costs a millisecond, and
// one that were kept would have to be watched for systemd's restarts.
func (s *Systemd) with(ctx context.Context, do func(context.Context, *manager) error) error {
	ctx, cancel := context.WithTimeout(ctx, managerBudget)
	defer cancel()
	m, err := dialManager(ctx, s.dir)
	if err == nil {
		defer m.close()
		err = do(ctx, m)
	}
	if err != nil {
		return &adapters.Error{
			Kind: adapters.ErrUnavailable, Err: fmt.Errorf("systemd --user: %w", err),
			Hint: "look at: systemctl --user status, or do without: QS_ENFORCER=agent",
		}
	}
	return nil
}
