package podman

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/adapters"
)

// Check examines the engine and this host, each finding with its cure.
func (a *Adapter) Check(ctx context.Context) []adapters.Check {
	findings := a.checkHost()
	conn, err := a.engine.use(ctx)
	if err != nil {
		return append(findings, failed("engine", err), a.checkAgent(ctx))
	}
	info, err := conn.getInfo(ctx)
	if err != nil {
		return append(findings, failed("engine", mapError(err)), a.checkAgent(ctx))
	}
	findings = append(
		findings,
		ok("engine", "Podman %s, API %s, at %s", info.Version.Version, conn.version, conn.socket),
		checkRootless(info),
		checkIDs(info),
		a.checkControllers(info),
		checkNetwork(conn, info),
		checkStorage(info),
		a.checkAgent(ctx),
	)
	if a.runtime != "" {
		findings = append(findings, a.checkOCIRuntime(info))
	}
	if a.image != "" {
		findings = append(findings, a.checkImage(ctx, conn))
	}
	return findings
}

func ok(name, format string, args ...any) adapters.Check {
	return adapters.Check{Name: name, Status: adapters.CheckOK, Detail: fmt.Sprintf(format, args...)}
}

func warn(name, cure, format string, args ...any) adapters.Check {
	return adapters.Check{Name: name, Status: adapters.CheckWarn, Detail: fmt.Sprintf(format, args...), Cure: cure}
}

func fail(name, cure, format string, args ...any) adapters.Check {
	return adapters.Check{Name: name, Status: adapters.CheckFail, Detail: fmt.Sprintf(format, args...), Cure: cure}
}

// failed is a finding whose error knows its cure.
func failed(name string, err error) adapters.Check {
	return fail(name, mapped(err).Hint, "%v", err)
}

// checkHost looks at what an engine needs before it can start.
func (a *Adapter) checkHost() []adapters.Check {
	return []adapters.Check{checkMappers(), checkSession(), a.checkRuntimeDir()}
}

// checkMappers looks for the two programs that give a user's namespace more
// than one id.
func checkMappers() adapters.Check {
	for _, name := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(name); err != nil {
			return fail("newuidmap", "dnf install shadow-utils, or apt install uidmap", "%s is not installed", name)
		}
	}
	return ok("newuidmap", "installed")
}

// checkSession: without a systemd of the user's own, limits cannot be
// enforced, and sandboxes end with the session that started them.
func checkSession() adapters.Check {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if _, err := os.Stat(filepath.Join(dir, "systemd", "private")); dir == "" || err != nil {
		return warn("systemd", "log in through PAM, or run: loginctl enable-linger $USER",
			"no systemd --user runs for this session")
	}
	return ok("systemd", "systemd --user runs")
}

func (a *Adapter) checkRuntimeDir() adapters.Check {
	const name = "runtime directory"
	dir := filepath.Dir(a.dirs.Path())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return failed(name, err)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return failed(name, &os.PathError{Op: "access", Path: dir, Err: err})
	}
	return ok(name, "%s", dir)
}

func checkRootless(info *systemInfo) adapters.Check {
	if !info.Host.Security.Rootless {
		return fail("rootless", "run as an ordinary user, and leave CONTAINER_HOST unset",
			"the engine runs as root: a sandbox would be root of this machine")
	}
	return ok("rootless", "yes")
}

// checkIDs wants the usual range: code runs as uid 1000, and images have files
// of ids up to 65535.
func checkIDs(info *systemInfo) adapters.Check {
	uids, gids := 0, 0
	for _, m := range info.Host.IDMappings.UIDMap {
		uids += m.Size
	}
	for _, m := range info.Host.IDMappings.GIDMap {
		gids += m.Size
	}
	switch least := min(uids, gids); {
	case least <= 1000:
		return fail("subuid", hintSubID, "%d user ids and %d group ids: too few to run code as another user", uids, gids)
	case least <= 65535:
		return warn("subuid", hintSubID, "%d user ids and %d group ids: some images need 65536", uids, gids)
	}
	return ok("subuid", "%d user ids, %d group ids", uids, gids)
}

// checkControllers compares what this process sees with what the engine says,
// and warns of limits that nobody can enforce.
func (a *Adapter) checkControllers(info *systemInfo) adapters.Check {
	const name = "cgroups"
	have := a.host.controllers()
	if len(have) == 0 {
		have = info.Host.CgroupControllers
	}
	var missing []string
	for _, c := range []string{"memory", "pids", "cpu"} {
		if !slices.Contains(have, c) {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		return warn(name, hintLimit, "cgroup %s, no controller for: %s; sandboxes that ask for such limits are refused",
			info.Host.CgroupVersion, strings.Join(missing, ", "))
	}
	return ok(name, "cgroup %s, %s", info.Host.CgroupVersion, strings.Join(have, " "))
}

// checkNetwork looks for the helper that the default network needs.
func checkNetwork(conn *connection, info *systemInfo) adapters.Check {
	helper, found := "pasta", info.Host.Pasta.Executable
	cure := "dnf install passt, or apt install passt"
	if conn.version.Major < 5 {
		helper, found = "slirp4netns", info.Host.Slirp4NetNS.Executable
		cure = "dnf install slirp4netns, or apt install slirp4netns"
	}
	if found == "" {
		return fail("network", cure, "%s is not installed; only network none works", helper)
	}
	return ok("network", "%s", found)
}

// checkStorage looks at what sandboxes write to.
func checkStorage(info *systemInfo) adapters.Check {
	const name, little = "storage", 1 << 30
	var stat unix.Statfs_t
	if err := unix.Statfs(info.Store.GraphRoot, &stat); err != nil {
		return failed(name, &os.PathError{Op: "statfs", Path: info.Store.GraphRoot, Err: err})
	}
	free := stat.Bavail * uint64(stat.Bsize)
	detail := fmt.Sprintf("%s at %s, %.1f GiB free", info.Store.GraphDriverName, info.Store.GraphRoot, float64(free)/(1<<30))
	switch {
	case free < little:
		return warn(name, hintDisk, "%s", detail)
	case info.Store.GraphDriverName == "vfs":
		return warn(name, "set driver = \"overlay\" in storage.conf and run: podman system reset, which deletes all images and containers",
			"%s: every sandbox copies its whole image", detail)
	}
	return ok(name, "%s", detail)
}

func (a *Adapter) checkAgent(ctx context.Context) adapters.Check {
	path, err := a.agent.Find(ctx)
	if err != nil {
		return failed("agent", err)
	}
	return ok("agent", "%s", path)
}

func (a *Adapter) checkOCIRuntime(info *systemInfo) adapters.Check {
	if got := info.Host.OCIRuntime.Name; !sameRuntime(got, a.runtime) {
		return fail("runtime", hintRuntime, "the engine runs containers with %s, not %s", got, a.runtime)
	}
	return ok("runtime", "%s", a.runtime)
}

func (a *Adapter) checkImage(ctx context.Context, conn *connection) adapters.Check {
	there, err := conn.imageExists(ctx, a.image)
	switch {
	case err != nil:
		return failed("image", mapError(err))
	case !there:
		return warn("image", "podman pull "+a.image, "%s is not here yet; the first sandbox fetches it", a.image)
	}
	return ok("image", "%s", a.image)
}
