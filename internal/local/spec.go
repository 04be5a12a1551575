package local

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	// defaultPIDs limits processes and threads where the host can. It is room
	// for thousands of commands, and stops a fork bomb.
	defaultPIDs = 4096
	// logBytes bounds what the agent can write to the log. Commands do not
	// write there.
	logBytes = 64 << 10
)

// capabilities are what the agent needs to start code as another user and to
// keep that user's files. The code itself gets none of them.
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
}

// place is where a sandbox is made, and when.
type place struct {
	agent   string // path of the agent's binary
	dir     string // the directory to share with the sandbox
	log     string // where the container's log goes
	image   string // as the engine calls it
	created time.Time
	boot    bootclock.Mark // the same moment
}

// specFor turns what a caller wants into a container.
func specFor(spec *adapters.Spec, f *Facts, at *place) (*Spec, error) {
	if spec.Network == adapters.NetworkNone && len(spec.Ports) > 0 {
		return nil, &adapters.Error{
			Kind: adapters.ErrUnsupported,
			Err:  errors.New("the engine cannot publish ports of a sandbox with network none"),
			Hint: "expose the port instead, which needs no network",
		}
	}
	if spec.OnTimeout == adapters.TimeoutPause && !f.Freezer {
		return nil, &adapters.Error{
			Kind: adapters.ErrUnsupported,
			Err:  errors.New("this host cannot pause a sandbox: rootless containers are frozen by cgroup v2 alone"),
			Hint: "have it killed on its timeout, or boot with systemd.unified_cgroup_hierarchy=1",
		}
	}
	limits, err := limitsFor(spec.Resources, f)
	if err != nil {
		return nil, err
	}
	labels, err := labelsFor(spec, limits, at.created, at.boot)
	if err != nil {
		return nil, err
	}
	if limits.PIDs != 0 {
		// Its threads are processes to the kernel, and beside the caller's.
		limits.PIDs += agentapi.Threads
	}
	s := &Spec{
		Name:     nameContainer(spec.ID, spec.Name),
		Hostname: spec.ID,
		Labels:   labels,
		Image:    at.image,
		// A fork's image is nobody else's.
		ImageGoes:    spec.Fork != "",
		Entrypoint:   agentapi.BinaryPath,
		Args:         arguments(spec, f),
		Capabilities: slices.Clone(capabilities),
		Agent:        at.agent,
		// What packages install is labelled for containers to read, and not ours
		// to relabel.
		Relabel:   !strings.HasPrefix(at.agent, "/usr/"),
		DirInside: agentapi.SocketDir,
		Log:       at.log,
		LogBytes:  logBytes,
		Network:   spec.Network,
		Ports:     spec.Ports,
		Resources: limits,
	}
	if spec.Sudo {
		s.Sudo = agentapi.SudoPath
	}
	if f.Shared {
		s.Dir = at.dir
	}
	if blocks(spec, f) {
		// For the agent to close the way to the host, before it gives this up.
		s.Capabilities = append(s.Capabilities, "CAP_NET_ADMIN")
	}
	return s, nil
}

// blocks reports whether there are addresses to close the way to.
func blocks(spec *adapters.Spec, f *Facts) bool {
	return spec.Network != adapters.NetworkNone && len(f.Addresses) > 0
}

// arguments are the agent's.
func arguments(spec *adapters.Spec, f *Facts) []string {
	args := []string{
		"--id=" + spec.ID,
		"--socket-dir=" + agentapi.SocketDir,
		"--workdir=" + spec.Workdir,
		"--idle-timeout=" + spec.IdleTimeout.String(),
		"--lifetime=" + spec.Lifetime.String(),
		"--enforcers=" + strings.Join(spec.Enforcers, ","),
		"--on-timeout=" + string(spec.OnTimeout),
	}
	if spec.Ephemeral {
		args = append(args, "--lease")
	}
	if spec.FixedTimeout {
		args = append(args, "--fixed-timeout")
	}
	if spec.Sudo {
		args = append(args, "--sudo")
	}
	if spec.User != "" {
		args = append(args, "--user="+spec.User)
	}
	if blocks(spec, f) {
		for _, addr := range f.Addresses {
			args = append(args, "--block-address="+addr.String())
		}
	}
	return append(args, f.AgentArgs...)
}

// limitsFor refuses what the host cannot enforce, and limits what nobody asked
// for where it can.
func limitsFor(want adapters.Resources, f *Facts) (adapters.Resources, error) {
	for _, limit := range []struct {
		asked            bool
		name, controller string
	}{
		{want.MemoryBytes != 0, "memory", "memory"},
		{want.CPUs != 0, "cpu", "cpu"},
		{want.PIDs != 0, "process", "pids"},
	} {
		if limit.asked && !slices.Contains(f.Controllers, limit.controller) {
			return want, &adapters.Error{
				Kind: adapters.ErrUnsupported,
				Err:  fmt.Errorf("this host cannot enforce a %s limit: the engine's containers have no cgroup controller %q", limit.name, limit.controller),
				Hint: f.LimitHint,
			}
		}
	}
	if want.PIDs == 0 && slices.Contains(f.Controllers, "pids") {
		want.PIDs = defaultPIDs
	}
	return want, nil
}
