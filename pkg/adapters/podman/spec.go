package podman

import (
	"math"

	"github.com/blang/semver/v4"
	runspec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// specFor says in Podman's words what container is wanted. It leaves no field to
// the image or to containers.conf on which the sandbox's isolation depends: what
// is false here is false, not absent.
func specFor(c *local.Spec, api semver.Version) *containerSpec {
	s := &containerSpec{
		Name:      c.Name,
		Hostname:  c.Hostname,
		Labels:    c.Labels,
		Image:     c.Image,
		RawImage:  c.Image,
		Resources: limitsFor(c.Resources),
	}
	setProcess(s, c)
	setIsolation(s, c)
	setStorage(s, c)
	setNetwork(s, c, api)
	setLife(s, c)
	return s
}

// setProcess makes the agent the only program that the engine starts.
func setProcess(s *containerSpec, c *local.Spec) {
	s.Entrypoint = []string{c.Entrypoint}
	s.Command = c.Args
	s.User = "0:0"
	s.WorkDir = "/" // the only one that every image has; the agent makes its own
	s.Umask = "0022"
	s.Systemd = "false"
	// The agent adds its user itself, also to images without such a file.
	s.Passwd = false
}

func setIsolation(s *containerSpec, c *local.Spec) {
	private := namespace{"private"}
	s.PidNS, s.IpcNS, s.UtsNS, s.CgroupNS = private, private, private, private
	// The "host" of a rootless engine's containers is its own user namespace.
	s.UserNS = namespace{"host"}
	s.NoNewPrivileges = true
	s.CapDrop = []string{"ALL"}
	s.CapAdd = c.Capabilities
}

// setStorage mounts the agent and the directory in which its socket appears.
// On SELinux hosts the agent is relabelled for all sandboxes ("z") and the
// directory for this one alone ("Z").
func setStorage(s *containerSpec, c *local.Spec) {
	agent := []string{"bind", "ro", "nosuid", "nodev"}
	if c.Relabel {
		agent = append(agent, "z")
	}
	s.Mounts = []runspec.Mount{
		{Type: "bind", Source: c.Agent, Destination: c.Entrypoint, Options: agent},
		{
			Type: "bind", Source: c.Dir, Destination: c.DirInside,
			Options: []string{"bind", "rw", "nosuid", "nodev", "noexec", "private", "Z"},
		},
	}
	if c.Sudo != "" {
		s.Mounts = append(s.Mounts, runspec.Mount{Type: "bind", Source: c.Agent, Destination: c.Sudo, Options: agent})
	}
	// Volumes that an image declares would outlive the sandbox.
	s.ImageVolumes = "ignore"
}

// setLife makes the container vanish when the agent ends, whoever is alive
// then, and die at once when it shall.
func setLife(s *containerSpec, c *local.Spec) {
	s.Remove, s.RemoveImage = true, c.ImageGoes
	// Who stops it by means of the engine, podman rm -f included, asks first, so
	// that the agent can leave word of it. We do not: see removeContainer.
	s.StopTimeout = 2
	s.RestartPolicy = "no"
	// An image's health checks would run a command in the sandbox for ever.
	s.Health = healthCheck{Test: []string{"NONE"}}
	s.Log = logConfig{Driver: "k8s-file", Path: c.Log, Size: c.LogBytes}
}

// setNetwork gives the sandbox a way out that does not lead back to the host.
// Only its resolver is behind it, at an address of the user-mode network's.
func setNetwork(s *containerSpec, c *local.Spec, api semver.Version) {
	// The host's own /etc/hosts is nothing that a sandbox should read, and the
	// engine would make the sandbox's of it. The agent writes one; a base file
	// that has nothing in it can be asked for since Podman 5.3 only.
	s.UseImageHosts = true
	if c.Network == adapters.NetworkNone {
		s.NetNS = namespace{"none"}
		return
	}
	s.NetNS, s.NetworkOptions = wayOut(api)
	for _, p := range c.Ports {
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

// limitsFor says what is to be enforced.
func limitsFor(want adapters.Resources) *runspec.LinuxResources {
	// Zero is no limit, and better said than left out: podman would put its
	// own default in, and the start would fail where there is no controller.
	limits := &runspec.LinuxResources{Pids: &runspec.LinuxPids{Limit: want.PIDs}}
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
	return limits
}
