package agent

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/quixand/quixand/internal/agent/activity"
	"github.com/quixand/quixand/internal/agent/hostsfile"
	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/netblock"
	"github.com/quixand/quixand/internal/agent/spawn"
	"github.com/quixand/quixand/internal/agentapi"
)

// Config says what an agent is to its sandbox. The zero value is an agent
// within somebody else's process: it runs code as its own user, in that
// user's home, for ever.
type Config struct {
	Version string // of the agent
	ID      string // of the sandbox

	// User names the account that code runs as, by name or decimal uid. Empty
	// is the agent's own.
	User string
	// Home is that account's home directory, whatever its passwd entry says.
	Home string
	// Workdir is where commands start that name no directory. Empty is Home.
	Workdir string

	// Env is the environment that every command inherits. Nil is the agent's.
	Env []string

	IdleTimeout time.Duration // zero or negative: none
	// FixedTimeout says that no work puts the end of the IdleTimeout off.
	FixedTimeout bool
	Lifetime     time.Duration // zero or negative: none
	// Lease says that the sandbox is its creator's, and ends soon after nobody
	// holds a lease on it any more.
	Lease bool
	// Enforcers names who ends the sandbox when its time is up. The agent does
	// not if it is not among them: it only keeps the time. Nil is the agent
	// alone.
	Enforcers []string
	// OnTimeout is what happens to an idle sandbox. Unless it is empty or "kill",
	// somebody else has to do it.
	OnTimeout string

	// Init says that the agent is PID 1 of a sandbox: it reaps orphans,
	// creates the account, its directories and /etc/hosts, confines what it
	// starts, and refuses to run where it cannot.
	Init bool
	// BlockAddresses become unreachable from the sandbox. Only for Init.
	BlockAddresses []netip.Addr
	// BlockNetwork makes the sandbox's own networks unreachable, and leaves it
	// what is behind their routers. Only for Init.
	BlockNetwork bool

	// Sudo says that the account's code may run commands as any user. Only for
	// Init.
	Sudo bool

	// EtcDir holds passwd and group. Empty is /etc.
	EtcDir string
}

func (c Config) withDefaults() Config {
	if c.EtcDir == "" {
		c.EtcDir = "/etc"
	}
	if c.Env == nil {
		c.Env = os.Environ()
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = -1
	}
	if c.Lifetime == 0 {
		c.Lifetime = -1
	}
	if c.Enforcers == nil {
		c.Enforcers = []string{agentapi.EnforcerAgent}
	}
	return c
}

// enforce is the agent's own share.
func (c Config) enforce() activity.Enforce {
	switch {
	case !slices.Contains(c.Enforcers, agentapi.EnforcerAgent):
		return activity.EnforceNone
	case c.OnTimeout == agentapi.OnTimeoutPause:
		return activity.EnforceLifetime
	}
	return activity.EnforceAll
}

// confine does what needs privileges that the agent then gives up. It fails
// rather than leave a sandbox open that was to be closed, and before it has
// changed anything of a system that is no sandbox.
func (c Config) confine() error {
	switch {
	case c.Init && os.Getpid() != 1:
		return errors.New("only process 1 can be a sandbox's init")
	case (len(c.BlockAddresses) > 0 || c.BlockNetwork) && !c.Init:
		return errors.New("only a sandbox's init can block addresses")
	}
	if c.Sudo && !c.Init {
		return errors.New("only a sandbox's init can start commands as other users")
	}
	if err := netblock.Block(c.BlockAddresses); err != nil {
		return err
	}
	if c.BlockNetwork {
		if err := netblock.BlockOwn(); err != nil {
			return err
		}
	}
	if c.Init {
		return spawn.ConfineSelf()
	}
	return nil
}

// nameSelf makes the sandbox known to itself by name.
func (c Config) nameSelf() error {
	if !c.Init {
		return nil
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	return hostsfile.Write("/etc/hosts", name)
}

// account finds or creates the account that code runs as.
func (c Config) account() (identity.User, error) {
	u := identity.Current(c.EtcDir)
	var err error
	switch {
	case c.Init:
		want := c.User
		if want == "" {
			want = strconv.Itoa(agentapi.DefaultUID)
		}
		workdir := c.Workdir
		if workdir == "" {
			workdir = agentapi.DefaultWorkdir
		}
		u, err = identity.Provision("/", want, agentapi.DefaultUser, filepath.Clean(workdir))
	case c.User != "" && c.User != u.Name && c.User != strconv.Itoa(int(u.UID)):
		dir := identity.NewDirectory(identity.Options{EtcDir: c.EtcDir, User: u})
		u, err = dir.Lookup(c.User)
	}
	if err != nil {
		return u, err
	}
	if c.Home != "" {
		u.Home = filepath.Clean(c.Home)
	}
	if c.Workdir != "" && !c.Init {
		u.Workdir = filepath.Clean(c.Workdir)
	}
	return u, nil
}
