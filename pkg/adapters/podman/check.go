package podman

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Check examines the engine and what it needs before it can start.
func (e *engine) Check(ctx context.Context) []adapters.Check {
	findings := []adapters.Check{checkMappers(), checkSession()}
	conn, err := e.use(ctx)
	if err != nil {
		return append(findings, local.Failed(local.EngineCheck, err))
	}
	info, err := e.getInfo(ctx)
	if err != nil {
		return append(findings, local.Failed(local.EngineCheck, err))
	}
	findings = append(
		findings,
		local.OK(local.EngineCheck, "Podman %s, API %s, at %s", info.Version.Version, conn.version, conn.socket),
		checkRootless(info),
		checkIDs(info),
		e.checkControllers(info),
		checkNetwork(conn, info),
		checkStorage(info),
	)
	if e.runtime != "" {
		findings = append(findings, e.checkOCIRuntime(info))
	}
	return findings
}

// checkMappers looks for the two programs that give a user's namespace more
// than one id.
func checkMappers() adapters.Check {
	for _, name := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(name); err != nil {
			return local.Fail("newuidmap", "dnf install shadow-utils, or apt install uidmap", "%s is not installed", name)
		}
	}
	return local.OK("newuidmap", "installed")
}

// checkSession: without a systemd of the user's own, limits cannot be
// enforced, and sandboxes end with the session that started them.
func checkSession() adapters.Check {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if _, err := os.Stat(filepath.Join(dir, "systemd", "private")); dir == "" || err != nil {
		return local.Warn("systemd", "log in through PAM, or run: loginctl enable-linger $USER",
			"no systemd --user runs for this session")
	}
	return local.OK("systemd", "systemd --user runs")
}

func checkRootless(info *systemInfo) adapters.Check {
	if !info.Host.Security.Rootless {
		return local.Fail("rootless", "run as an ordinary user, and leave CONTAINER_HOST unset",
			"the engine runs as root: a sandbox would be root of this machine")
	}
	return local.OK("rootless", "yes")
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
		return local.Fail("subuid", hintSubID, "%d user ids and %d group ids: too few to run code as another user", uids, gids)
	case least <= 65535:
		return local.Warn("subuid", hintSubID, "%d user ids and %d group ids: some images need 65536", uids, gids)
	}
	return local.OK("subuid", "%d user ids, %d group ids", uids, gids)
}

// checkControllers compares what this process sees with what the engine says.
func (e *engine) checkControllers(info *systemInfo) adapters.Check {
	have := e.host.controllers()
	if len(have) == 0 {
		have = info.Host.CgroupControllers
	}
	return local.CheckControllers(info.Host.CgroupVersion, have, hintLimit)
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
		return local.Fail("network", cure, "%s is not installed; only network none works", helper)
	}
	return local.OK("network", "%s", found)
}

// checkStorage looks at what sandboxes write to.
func checkStorage(info *systemInfo) adapters.Check {
	const name, little = "storage", 1 << 30
	var stat unix.Statfs_t
	if err := unix.Statfs(info.Store.GraphRoot, &stat); err != nil {
		return local.Failed(name, &os.PathError{Op: "statfs", Path: info.Store.GraphRoot, Err: err})
	}
	free := stat.Bavail * uint64(stat.Bsize)
	detail := fmt.Sprintf("%s at %s, %.1f GiB free", info.Store.GraphDriverName, info.Store.GraphRoot, float64(free)/(1<<30))
	switch {
	case free < little:
		return local.Warn(name, hintDisk, "%s", detail)
	case info.Store.GraphDriverName == "vfs":
		return local.Warn(name, "set driver = \"overlay\" in storage.conf and run: podman system reset, which deletes all images and containers",
			"%s: every sandbox copies its whole image", detail)
	}
	return local.OK(name, "%s", detail)
}

func (e *engine) checkOCIRuntime(info *systemInfo) adapters.Check {
	if got := info.Host.OCIRuntime.Name; !sameRuntime(got, e.runtime) {
		return local.Fail("runtime", hintRuntime, "the engine runs containers with %s, not %s", got, e.runtime)
	}
	return local.OK("runtime", "%s", e.runtime)
}
