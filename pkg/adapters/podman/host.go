package podman

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// host is what a specification depends on beside the caller's wishes. It is
// read from files, since the engine takes 100 ms to tell the same.
type host interface {
	// controllers are the cgroup controllers that rootless containers can use.
	controllers() []string
	// addresses are those under which this host can be reached by itself,
	// loopback aside.
	addresses() ([]netip.Addr, error)
	// freezer says whether rootless containers can be paused.
	freezer() bool
	// ownedByRoot says whether the engine behind a socket is the real root's.
	ownedByRoot(socket string) bool
}

// localHost is the machine that this process runs on.
type localHost struct{}

const cgroupRoot = "/sys/fs/cgroup"

// controllers looks where systemd delegates to this user: containers get
// scopes below it, whatever scope the engine itself is in. Without systemd
// they are made beside the engine, so in a group like ours. With cgroup v1
// there is no such file, and nothing that a user could limit.
func (localHost) controllers() []string {
	uid := strconv.Itoa(os.Getuid())
	delegated := filepath.Join(cgroupRoot, "user.slice", "user-"+uid+".slice", "user@"+uid+".service")
	for _, group := range []string{delegated, ownCgroup()} {
		text, err := os.ReadFile(filepath.Join(group, "cgroup.controllers"))
		if err == nil {
			return strings.Fields(string(text))
		}
	}
	return nil
}

// ownCgroup is the directory of this process's group in the v2 hierarchy.
func ownCgroup() string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return filepath.Join(cgroupRoot, path)
		}
	}
	return ""
}

// addresses includes link-local ones: an engine's user-mode network connects
// from the host itself, where they are valid without a neighbour.
func (localHost) addresses() ([]netip.Addr, error) {
	ifaces, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, a := range ifaces {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if addr := prefix.Addr().Unmap(); !addr.IsLoopback() && !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}

// freezer is every group's of the v2 hierarchy, whatever controllers it has.
func (localHost) freezer() bool {
	var stat unix.Statfs_t
	return unix.Statfs(cgroupRoot, &stat) == nil && stat.Type == unix.CGROUP2_SUPER_MAGIC
}

func (localHost) ownedByRoot(socket string) bool {
	var stat unix.Stat_t
	return unix.Stat(socket, &stat) == nil && stat.Uid == 0 && !inUserNamespace()
}

// inUserNamespace tells the root of a user namespace, who is somebody else
// outside, from the real one.
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !slices.Equal(strings.Fields(string(text)), []string{"0", "0", "4294967295"})
}
