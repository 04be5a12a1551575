package podman

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/blang/semver/v4"
	runspec "github.com/opencontainers/runtime-spec/specs-go"

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

// facts are what a specification needs to know about the place where the
// sandbox will run.
type facts struct {
	api         semver.Version // of the engine
	controllers []string       // cgroup controllers that can be used
	addresses   []netip.Addr   // of the host
	agent       string         // path of the agent's binary
	dir         string         // the directory to share with the sandbox
	log         string         // where the container's log goes
	image       string         // as the engine calls it
	created     time.Time
	boot        bootclock.Mark // the same moment
	freezer     bool           // processes can be frozen
}

// specFor turns what a caller wants into what the engine understands. It
// leaves no field to the image or to containers.conf on which the sandbox's
// isolation depends: what is false here is false, not absent.
func specFor(spec *adapters.Spec, f *facts) (*containerSpec, error) {
	if spec.Network == adapters.NetworkNone && len(spec.Ports) > 0 {
		return nil, &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnsupported,
			Err:  errors.New("the engine cannot publish ports of a sandbox with network none"),
			Hint: "expose the port instead, which needs no network",
		}
	}
	if spec.OnTimeout == adapters.TimeoutPause && !f.freezer {
		return nil, &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnsupported,
			Err:  errors.New("this host cannot pause a sandbox: rootless containers are frozen by cgroup v2 alone"),
			Hint: "have it killed on its timeout, or boot with systemd.unified_cgroup_hierarchy=1",
		}
	}
	labels, err := labelsFor(spec, f.created, f.boot)
	if err != nil {
		return nil, err
	}
	limits, err := limitsFor(spec.Resources, f.controllers)
	if err != nil {
		return nil, err
	}
	s := &containerSpec{
		Name:      nameContainer(spec.ID, spec.Name),
		Hostname:  spec.ID,
		Labels:    labels,
		Image:     f.image,
		RawImage:  f.image,
		Resources: limits,
	}
	setProcess(s, spec, f)
	setIsolation(s)
	setStorage(s, f)
	setNetwork(s, spec, f)
	setLife(s, f)
	// A fork's image is nobody else's.
	s.RemoveImage = spec.Fork != ""
	return s, nil
}

// setProcess makes the agent the only program that the engine starts. The
// environment is the image's; the caller's is for the agent alone.
func setProcess(s *containerSpec, spec *adapters.Spec, f *facts) {
	s.Entrypoint = []string{agentapi.BinaryPath}
	s.Command = []string{
		"--id=" + spec.ID,
		"--socket-dir=" + agentapi.SocketDir,
		"--workdir=" + spec.Workdir,
		"--idle-timeout=" + spec.IdleTimeout.String(),
		"--lifetime=" + spec.Lifetime.String(),
		"--enforcers=" + strings.Join(spec.Enforcers, ","),
		"--on-timeout=" + string(spec.OnTimeout),
	}
	if spec.Ephemeral {
		s.Command = append(s.Command, "--lease")
	}
	if spec.FixedTimeout {
		s.Command = append(s.Command, "--fixed-timeout")
	}
	if spec.Network != adapters.NetworkNone {
		for _, addr := range f.addresses {
			s.Command = append(s.Command, "--block-address="+addr.String())
		}
	}
	s.User = "0:0"
	s.WorkDir = "/" // the only one that every image has; the agent makes its own
	s.Umask = "0022"
	s.Systemd = "false"
	// The agent adds its user itself, also to images without such a file.
	s.Passwd = false
}

func setIsolation(s *containerSpec) {
	private := namespace{"private"}
	s.PidNS, s.IpcNS, s.UtsNS, s.CgroupNS = private, private, private, private
	// The "host" of a rootless engine's containers is its own user namespace.
	s.UserNS = namespace{"host"}
	s.NoNewPrivileges = true
	s.CapDrop = []string{"ALL"}
	s.CapAdd = slices.Clone(capabilities)
}

// setStorage mounts the agent and the directory in which its socket appears.
// On SELinux hosts the agent is relabelled for all sandboxes ("z") and the
// directory for this one alone ("Z").
func setStorage(s *containerSpec, f *facts) {
	agent := []string{"bind", "ro", "nosuid", "nodev"}
	if !strings.HasPrefix(f.agent, "/usr/") {
		// What packages install is labelled for containers to read, and not
		// ours to relabel.
		agent = append(agent, "z")
	}
	s.Mounts = []runspec.Mount{
		{Type: "bind", Source: f.agent, Destination: agentapi.BinaryPath, Options: agent},
		{
			Type: "bind", Source: f.dir, Destination: agentapi.SocketDir,
			Options: []string{"bind", "rw", "nosuid", "nodev", "noexec", "private", "Z"},
		},
	}
	// Volumes that an image declares would outlive the sandbox.
	s.ImageVolumes = "ignore"
}

// setLife makes the container vanish when the agent ends, whoever is alive
// then, and die at once when it shall.
func setLife(s *containerSpec, f *facts) {
	s.Remove = true
	// Who stops it by means of the engine, podman rm -f included, asks first, so
	// that the agent can leave word of it. We do not: see removeContainer.
	s.StopTimeout = 2
	s.RestartPolicy = "no"
	// An image's health checks would run a command in the sandbox for ever.
	s.Health = healthCheck{Test: []string{"NONE"}}
	s.Log = logConfig{Driver: "k8s-file", Path: f.log, Size: logBytes}
}

// setNetwork gives the sandbox a way out that does not lead back to the host.
// Only its resolver is behind it, at an address of the user-mode network's.
func setNetwork(s *containerSpec, spec *adapters.Spec, f *facts) {
	// The host's own /etc/hosts is nothing that a sandbox should read, and the
	// engine would make the sandbox's of it. The agent writes one; a base file
	// that has nothing in it can be asked for since Podman 5.3 only.
	s.UseImageHosts = true
	if spec.Network == adapters.NetworkNone {
		s.NetNS = namespace{"none"}
		return
	}
	if len(f.addresses) > 0 {
		// For the agent to close the way to them, before it gives this up.
		s.CapAdd = append(s.CapAdd, "CAP_NET_ADMIN")
	}
	s.NetNS, s.NetworkOptions = wayOut(f.api)
	for _, p := range spec.Ports {
		s.Ports = append(s.Ports, portMapping{
			HostIP:        "127.0.0.1",
			HostPort:      uint16(p.HostPort),
			ContainerPort: uint16(p.Port),
			Protocol:      "tcp",
		})
	}
}

// wayOut chooses among the user-mode networks that a rootless engine has: one
// namespace for each sandbox, so that sandboxes cannot reach each other.
func wayOut(api semver.Version) (namespace, map[string][]string) {
	if api.Major < 5 {
		// pasta is not there before 4.4 and seldom installed before 5.
		return namespace{"slirp4netns"}, map[string][]string{"slirp4netns": {"allow_host_loopback=false"}}
	}
	options := []string{"--no-map-gw"}
	if api.GE(semver.MustParse("5.3.0")) {
		// Since then podman maps 169.254.1.2 to the host unless told not to.
		options = append(options, "--map-guest-addr", "none")
	}
	return namespace{"pasta"}, map[string][]string{"pasta": options}
}

// limitsFor asks for what the caller wants and refuses what the host cannot
// enforce.
func limitsFor(want adapters.Resources, controllers []string) (*runspec.LinuxResources, error) {
	for _, limit := range []struct {
		asked            bool
		name, controller string
	}{
		{want.MemoryBytes != 0, "memory", "memory"},
		{want.CPUs != 0, "cpu", "cpu"},
		{want.PIDs != 0, "process", "pids"},
	} {
		if limit.asked && !slices.Contains(controllers, limit.controller) {
			return nil, &adapters.Error{
				Adapter: Name, Kind: adapters.ErrUnsupported,
				Err:  fmt.Errorf("this host cannot enforce a %s limit: rootless containers have no cgroup controller %q", limit.name, limit.controller),
				Hint: hintLimit,
			}
		}
	}
	// Zero is no limit, and better said than left out: podman would put its
	// own default in, and the start would fail where there is no controller.
	limits := &runspec.LinuxResources{Pids: &runspec.LinuxPids{Limit: want.PIDs}}
	if want.PIDs == 0 && slices.Contains(controllers, "pids") {
		limits.Pids.Limit = defaultPIDs
	}
	if want.MemoryBytes != 0 {
		limits.Memory = &runspec.LinuxMemory{Limit: new(want.MemoryBytes), Swap: new(want.MemoryBytes)}
	}
	if want.CPUs != 0 {
		const period = 100_000 // microseconds
		limits.CPU = &runspec.LinuxCPU{
			Period: new(uint64(period)),
			Quota:  new(int64(math.Round(want.CPUs * period))),
		}
	}
	return limits, nil
}
