package docker

import (
	"context"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/system"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Check examines the daemon, and says what is weaker than with rootless Podman.
func (e *engine) Check(ctx context.Context) []adapters.Check {
	conn, err := e.use(ctx)
	if err != nil {
		return []adapters.Check{local.Failed(local.EngineCheck, err)}
	}
	findings := []adapters.Check{
		local.OK(local.EngineCheck, "Docker %s, API %s, at %s (%s)",
			conn.info.ServerVersion, conn.ClientVersion(), conn.DaemonHost(), conn.endpoint.source),
		e.checkDataPlane(conn),
		checkRoot(conn.info),
		checkSeccomp(conn.info),
		local.CheckControllers(conn.info.CgroupVersion, controllers(conn.info), hintLimit),
		local.OK("storage", "%s at %s", conn.info.Driver, conn.info.DockerRootDir),
	}
	if e.runtime != "" {
		findings = append(findings, checkRuntime(conn.info, e.runtime))
	}
	return findings
}

// checkDataPlane says how agents are reached.
func (e *engine) checkDataPlane(c *connection) adapters.Check {
	const name = "data plane"
	switch shared, why, err := e.shares(c, c.info); {
	case err != nil:
		return local.Failed(name, err)
	case shared:
		return local.OK(name, "a socket in a shared directory")
	default:
		return local.OK(name, "one engine exec for each sandbox, since the daemon can share no directory: %s", why)
	}
}

// checkRoot says whose root a sandbox's is.
func checkRoot(info *system.Info) adapters.Check {
	const name = "root"
	switch {
	case has(info, "rootless"):
		return local.OK(name, "the daemon is rootless")
	case has(info, "userns"):
		return local.OK(name, "the daemon remaps user ids: root of a sandbox is nobody on the host")
	}
	return local.Warn(name, "use rootless Podman or rootless Docker, or set userns-remap in the daemon's daemon.json",
		"the daemon is root's: what breaks out of a sandbox is root of this machine. Weaker than rootless Podman; "+
			"capabilities, seccomp and no-new-privileges are the same. Where sandboxes have sudo, their code can be that root, with what those leave it")
}

func checkSeccomp(info *system.Info) adapters.Check {
	if !has(info, "seccomp") || slices.ContainsFunc(info.SecurityOptions, func(o string) bool { return strings.Contains(o, "unconfined") }) {
		return local.Fail("seccomp", "use a daemon and a kernel with seccomp, and its builtin profile", "the daemon filters no system calls")
	}
	return local.OK("seccomp", "%s", "the daemon filters system calls")
}

func checkRuntime(info *system.Info, want string) adapters.Check {
	if _, ok := info.Runtimes[want]; !ok {
		return local.Fail("runtime", "add it to runtimes in the daemon's daemon.json", "the daemon has no runtime %s", want)
	}
	return local.OK("runtime", "%s", want)
}
