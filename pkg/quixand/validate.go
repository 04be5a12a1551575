package quixand

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/quixand/quixand/internal/labels"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	// minTimeout is what a new sandbox needs to become ready on a good day. Less
	// could only fail, and not say why.
	minTimeout = 100 * time.Millisecond
	// maxTimeout keeps the sum of a time and a timeout within what clocks,
	// timers and wire formats can hold.
	maxTimeout = 10 * 365 * 24 * time.Hour

	// maxMetadata bounds keys and values together: they become a label.
	maxMetadata = 64 << 10

	// maxEnv bounds names and values together: more does not fit beside the
	// arguments in an execve.
	maxEnv = 1 << 20

	maxPath = 4096 // the kernel's PATH_MAX
)

func invalid(format string, args ...any) *Error {
	return &Error{Kind: ErrInvalid, Err: fmt.Errorf(format, args...)}
}

// spec checks the options and completes them. The error is an *Error without
// an operation.
func (o *Options) spec(cfg *Config) (*adapters.Spec, error) {
	if err := labels.Check(o.Labels); err != nil {
		return nil, invalid("%v", err)
	}
	s := &adapters.Spec{
		ID:           cmp.Or(o.ID, newID()),
		Name:         o.Name,
		Snapshot:     o.Snapshot,
		Root:         cfg.Root,
		Image:        firstSet(o.Template, cfg.Image),
		Workdir:      firstSet(o.Workdir, defaultWorkdir),
		Env:          maps.Clone(o.Env),
		Metadata:     mergeMetadata(cfg.Metadata, o.Metadata),
		IdleTimeout:  o.Timeout,
		Lifetime:     o.Lifetime,
		FixedTimeout: o.FixedTimeout,
		OnTimeout:    o.OnTimeout,
		Ephemeral:    o.Ephemeral,
		User:         o.User,
		Sudo:         o.Sudo,
		Network:      o.Network,
		Ports:        append([]PortMapping(nil), o.Publish...),
		Resources:    o.Resources,
		Pull:         o.Pull,
		Budgets:      o.Budgets,
		Progress:     o.Progress,
	}
	if s.IdleTimeout == 0 {
		s.IdleTimeout = cfg.Timeout
	}
	if s.OnTimeout == "" {
		s.OnTimeout = TimeoutKill
	}
	if s.Lifetime == 0 {
		s.Lifetime = NoTimeout
	}
	if s.Network == "" {
		s.Network = NetworkBridge
	}
	if s.Pull == "" {
		s.Pull = PullMissing
	}
	setDefault(&s.Budgets.Pull, 15*time.Minute)
	setDefault(&s.Budgets.Create, 30*time.Second)
	setDefault(&s.Budgets.Start, 30*time.Second)
	setDefault(&s.Budgets.Ready, 15*time.Second)
	return s, checkSpec(s)
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

func mergeMetadata(base, over map[string]string) map[string]string {
	if len(base) == 0 {
		return maps.Clone(over)
	}
	m := maps.Clone(base)
	maps.Copy(m, over)
	return m
}

// checkSpec refuses what can never work, before an engine is asked.
func checkSpec(s *adapters.Spec) error {
	if !adapters.ValidID(s.ID) {
		return invalid("%.80q cannot be the id of a sandbox", s.ID)
	}
	checks := []error{
		checkName(s.Name),
		checkText("Template", s.Image),
		checkWorkdir(s.Workdir),
		checkText("User", s.User),
		checkEnv(s.Env),
		checkMetadata("Metadata", s.Metadata),
		checkTimeout("Timeout", s.IdleTimeout, minTimeout),
		checkTimeout("Lifetime", s.Lifetime, minTimeout),
		checkPublish(s.Ports),
		checkResources(s.Resources),
		checkBudgets(s.Budgets),
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	if s.OnTimeout != TimeoutKill && s.OnTimeout != TimeoutPause {
		return invalid("on timeout %q is neither %q nor %q", s.OnTimeout, TimeoutKill, TimeoutPause)
	}
	if s.Network != NetworkBridge && s.Network != NetworkNone {
		return invalid("network %q is neither %q nor %q", s.Network, NetworkBridge, NetworkNone)
	}
	if s.Pull != PullMissing && s.Pull != PullAlways && s.Pull != PullNever {
		return invalid("pull policy %q is none of %q, %q, %q", s.Pull, PullMissing, PullAlways, PullNever)
	}
	return nil
}

func checkTimeout(name string, d, least time.Duration) error {
	if d == NoTimeout || d >= least && d <= maxTimeout {
		return nil
	}
	return invalid("%s of %v is neither between %v and %v nor NoTimeout", name, d, least, maxTimeout)
}

// checkName accepts no name at all, too.
func checkName(name string) error {
	if name == "" || adapters.ValidName(name) {
		return nil
	}
	e := invalid("%q cannot be the name of a sandbox", name)
	e.Hint = hintName
	return e
}

const hintName = "a name has 1 to 63 lower-case letters, digits, '-' and '_', and begins with a letter or a digit"

func checkText(name, s string) error {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid("%s %q contains control characters or is not UTF-8", name, s)
	}
	return nil
}

func checkWorkdir(dir string) error {
	if !path.IsAbs(dir) || path.Clean(dir) != dir || len(dir) >= maxPath {
		return invalid("workdir %q is not an absolute, clean path", dir)
	}
	return checkText("Workdir", dir)
}

func checkEnv(env map[string]string) error {
	size := 0
	for name, value := range env {
		size += len(name) + len(value)
		if name == "" || strings.ContainsAny(name, "=\x00") || !utf8.ValidString(name) {
			return invalid("%q cannot be the name of an environment variable", name)
		}
		if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
			return invalid("value of environment variable %q contains a NUL or is not UTF-8", name)
		}
	}
	if size > maxEnv {
		return invalid("environment of %d bytes is larger than %d", size, maxEnv)
	}
	return nil
}

func checkMetadata(name string, m map[string]string) error {
	size := 0
	for k, v := range m {
		size += len(k) + len(v)
		if k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return invalid("%s has an empty key or text that is not UTF-8: %q", name, k)
		}
	}
	if size > maxMetadata {
		return invalid("%s of %d bytes is larger than %d", name, size, maxMetadata)
	}
	return nil
}

func checkPublish(ports []PortMapping) error {
	seen := make(map[int]bool)
	for _, p := range ports {
		if err := checkPort(p.Port); err != nil {
			return err
		}
		if p.HostPort != 0 {
			if err := checkPort(p.HostPort); err != nil {
				return err
			}
			if seen[p.HostPort] {
				return invalid("host port %d is published twice", p.HostPort)
			}
			seen[p.HostPort] = true
		}
	}
	return nil
}

func checkPort(port int) error {
	if port < 1 || port > 65535 {
		return invalid("port %d is not between 1 and 65535", port)
	}
	return nil
}

func checkResources(r Resources) error {
	if r.MemoryBytes < 0 || r.PIDs < 0 || !(r.CPUs >= 0) || math.IsInf(r.CPUs, 1) {
		return invalid("resources cannot be negative or infinite: %+v", r)
	}
	return nil
}

func checkBudgets(b Budgets) error {
	if b.Pull < 0 || b.Create < 0 || b.Start < 0 || b.Ready < 0 {
		return invalid("budgets cannot be negative: %+v", b)
	}
	return nil
}
