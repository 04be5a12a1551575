package quixand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/timeouts"
)

// autoEnforcer leaves the choice of the enforcers to this package.
const autoEnforcer = "auto"

func checkEnforcer(choice string) error {
	known := []string{timeouts.AgentName, timeouts.SystemdName, timeouts.ProcessName}
	for name := range strings.SplitSeq(choice, ",") {
		if choice != autoEnforcer && !slices.Contains(known, name) {
			e := invalid("enforcer %q is not known", name)
			e.Hint = "QS_ENFORCER is auto, or a list with commas of " + strings.Join(known, ", ")
			return e
		}
	}
	return nil
}

// enforcement is who ends a client's sandboxes when their time is up.
type enforcement struct {
	names []string            // the agent among them, if it is chosen
	hosts []timeouts.Enforcer // those of the host
	// systemd is the enforcer although it may not be chosen, or nil: other
	// programs may have chosen it, and leave their timers to us.
	systemd *timeouts.Systemd
	without error // why systemd cannot be had, or nil
}

// chooseEnforcers looks what there is, and fails when that is not what the
// configuration asks for.
func (c *Client) chooseEnforcers() (*enforcement, error) {
	e := &enforcement{}
	if c.hosted() {
		e.names = []string{timeouts.AgentName}
		return e, c.refuseEnforcers()
	}
	e.systemd, e.without = c.newSystemd()
	choice := c.cfg.Enforcer
	if choice == autoEnforcer {
		choice = timeouts.AgentName + "," + timeouts.ProcessName
		if e.without == nil {
			choice = timeouts.AgentName + "," + timeouts.SystemdName
		}
	}
	e.names = strings.Split(choice, ",")
	for _, name := range e.names {
		switch {
		case name == timeouts.ProcessName:
			e.hosts = append(e.hosts, timeouts.NewProcess(c.processLook))
		case name == timeouts.SystemdName && e.without != nil:
			return e, e.without
		case name == timeouts.SystemdName:
			e.hosts = append(e.hosts, e.systemd)
		}
	}
	return e, nil
}

// refuseEnforcers is for a choice that a server would not follow.
func (c *Client) refuseEnforcers() error {
	if c.cfg.Enforcer == autoEnforcer || c.cfg.Enforcer == timeouts.AgentName {
		return nil
	}
	return &Error{
		Kind: ErrUnsupported, Err: fmt.Errorf("the server keeps the timeouts, and not %s", c.cfg.Enforcer),
		Hint: "let QS_ENFORCER be auto",
	}
}

// newSystemd may return an enforcer beside an error: one that can forget
// sandboxes and cannot look at them.
func (c *Client) newSystemd() (*timeouts.Systemd, error) {
	qs, errQS := findQS(c.cfg.QSPath)
	systemd, err := timeouts.NewSystemd(timeouts.SystemdConfig{
		QS: qs, Root: c.cfg.Root, RootKey: filepath.Base(statedir.Open(c.cfg.Root).Path()), Adapter: c.cfg.Adapter, Getenv: os.Getenv,
	})
	if err != nil {
		return nil, err
	}
	return systemd, errQS
}

// findQS returns the absolute path of the program that systemd is to start.
func findQS(set string) (string, error) {
	candidates := []string{set}
	if set == "" {
		self, err := os.Executable()
		if err == nil {
			candidates = []string{filepath.Join(filepath.Dir(self), "qs")}
		}
		candidates = append(candidates, "qs")
	}
	for _, candidate := range candidates {
		path, err := exec.LookPath(candidate)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err == nil {
			return path, nil
		}
	}
	return "", &Error{
		Kind: ErrUnsupported, Err: errors.New("there is no qs program for systemd to start"),
		Hint: "install qs beside this program or in $PATH, or name it with QS_BIN",
	}
}

// with returns the chosen ones that a sandbox has, by their names.
func (e *enforcement) with(names []string) []timeouts.Enforcer {
	return slices.DeleteFunc(slices.Clone(e.hosts), func(h timeouts.Enforcer) bool {
		return !slices.Contains(names, h.Name())
	})
}

// enforce says in the spec who is to end the new sandbox, and refuses what
// nobody would bring about.
func (c *Client) enforce(spec *adapters.Spec, opts *Options) (*enforcement, error) {
	e, err := c.enforcement()
	if err != nil {
		return nil, err
	}
	if c.cfg.OneShot && !opts.Ephemeral {
		if e, err = e.withoutProcess(); err != nil {
			return nil, err
		}
	}
	spec.Enforcers = e.forSandbox(opts, c.cfg.Enforcer == autoEnforcer)
	if spec.OnTimeout == TimeoutPause && !c.hosted() {
		err = c.refusePause(e)
	}
	return e, err
}

// withoutProcess is for sandboxes that outlive this process.
func (e *enforcement) withoutProcess() (*enforcement, error) {
	isProcess := func(name string) bool { return name == timeouts.ProcessName }
	others := *e
	others.names = slices.DeleteFunc(slices.Clone(e.names), isProcess)
	others.hosts = slices.DeleteFunc(slices.Clone(e.hosts), func(h timeouts.Enforcer) bool { return isProcess(h.Name()) })
	if len(others.names) == 0 {
		return nil, &Error{
			Kind: ErrUnsupported, Err: errors.New("this program ends before the sandbox, and no other enforcer of its timeouts is chosen"),
			Hint: "let QS_ENFORCER be auto, or have agent or systemd in it",
		}
	}
	return &others, nil
}

// forSandbox returns who is to end a new sandbox.
func (e *enforcement) forSandbox(opts *Options, auto bool) []string {
	if auto && opts.Ephemeral && opts.OnTimeout != TimeoutPause {
		// Its lease bounds it more closely than a timer could, also when all
		// of the host's programs are dead. A timer would cost nothing when it
		// is armed, which is beside the engine's start, but 1 to 3 ms when it
		// is forgotten, which nothing hides.
		return []string{timeouts.AgentName}
	}
	return e.names
}

// refusePause says why a sandbox cannot be paused when it is idle.
func (c *Client) refusePause(e *enforcement) error {
	if _, err := c.pauser(); err != nil {
		return err
	}
	if len(e.hosts) == 0 {
		return &Error{
			Kind: ErrUnsupported, Err: errors.New("nobody on this host would pause the sandbox when it is idle"),
			Hint: "let QS_ENFORCER be auto, or have systemd in it, or process where the program lives on",
		}
	}
	return nil
}

// backstop is how much later than the agent the host's enforcers look, so that
// the two do not end a sandbox at the same moment.
const backstop = 500 * time.Millisecond

// endsItself reports whether the agent ends an idle sandbox.
func endsItself(enforcers []string, action TimeoutAction) bool {
	return slices.Contains(enforcers, timeouts.AgentName) && action != TimeoutPause
}

// arm has the sandbox looked at by each of the enforcers.
func arm(ctx context.Context, hosts []timeouts.Enforcer, info *Info, after time.Duration, note timeouts.Note) error {
	if after < 0 {
		return nil
	}
	if endsItself(info.Enforcers, info.OnTimeout) {
		after += backstop
	}
	var errs []error
	for _, h := range hosts {
		errs = append(errs, h.Arm(ctx, info.ID, after, note))
	}
	return errors.Join(errs...)
}

// arming arms the enforcers of a new sandbox while the engine starts it.
type arming struct {
	id    string
	hosts []timeouts.Enforcer
	begin func()
	done  sync.WaitGroup
	err   error
}

// armWith arranges for the arming to begin when there is a container: not before,
// since a timer without one is taken for a leftover, and not after the start,
// beside which it costs nothing.
func (c *Client) armWith(ctx context.Context, spec *adapters.Spec, e *enforcement) *arming {
	a := &arming{id: spec.ID, hosts: e.with(spec.Enforcers)}
	policy := timeouts.Policy{Idle: spec.IdleTimeout, Lifetime: spec.Lifetime}
	info := &Info{ID: spec.ID, Enforcers: spec.Enforcers, OnTimeout: spec.OnTimeout}
	a.begin = sync.OnceFunc(func() {
		if len(a.hosts) > 0 {
			a.done.Go(func() { a.err = arm(ctx, a.hosts, info, policy.First(), timeouts.Note{}) })
		}
	})
	told := spec.Progress
	spec.Progress = func(p Progress) {
		if p.Phase == adapters.PhaseCreate && p.Done {
			a.begin()
		}
		if told != nil {
			told(p)
		}
	}
	return a
}

// end waits until the enforcers are armed, or have given it up.
func (a *arming) end(created bool) error {
	if created {
		a.begin()
	}
	a.done.Wait()
	return a.err
}

// undo forgets a sandbox that did not come into being.
func (a *arming) undo(ctx context.Context, c *Client) {
	if len(a.hosts) > 0 {
		c.disarm(context.WithoutCancel(ctx), a.id)
	}
}

// unarmed decides what becomes of a sandbox that an enforcer did not take.
// Where the choice was ours, its agent is enough.
func (c *Client) unarmed(ctx context.Context, id string, err error) error {
	if e, _ := c.enforcement(); c.cfg.Enforcer == autoEnforcer && slices.Contains(e.names, timeouts.AgentName) {
		c.cfg.Logger.Warn("its agent alone keeps the sandbox's timeouts", "sandbox", id, "error", err)
		return nil
	}
	return errors.Join(err, c.adapter.Kill(context.WithoutCancel(ctx), id, c.killOptions(false)))
}

// hasten has a sandbox looked at by its new idle timeout, whoever created it.
func (c *Client) hasten(ctx context.Context, id string, idle time.Duration) error {
	e, err := c.enforcement()
	if err != nil {
		return err
	}
	return arm(ctx, e.hosts, &Info{ID: id, Enforcers: e.names}, idle, timeouts.Note{Idle: idle})
}

// disarm forgets a sandbox that is gone. A timer that is left would only look
// in vain.
func (c *Client) disarm(ctx context.Context, id string) {
	e, _ := c.enforcement()
	hosts := e.hosts
	if e.systemd != nil && !slices.Contains(e.names, timeouts.SystemdName) {
		hosts = append(slices.Clone(hosts), e.systemd)
	}
	for _, h := range hosts {
		if err := h.Disarm(ctx, id); err != nil {
			c.cfg.Logger.Debug("disarm", "sandbox", id, "enforcer", h.Name(), "error", err)
		}
	}
}
