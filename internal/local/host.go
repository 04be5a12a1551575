package local

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/memory"
)

// What a specification depends on is read from files where it can be, since an
// engine takes longer to tell the same: Podman 100 ms.

const cgroupRoot = "/sys/fs/cgroup"

// UserControllers are the cgroup controllers that the containers of an engine
// without root can use. It looks where systemd delegates to this user: containers get
// scopes below it, whatever scope the engine itself is in. Without systemd
// they are made beside the engine, so in a group like ours. With cgroup v1
// there is no such file, and nothing that a user could limit.
func UserControllers() []string {
	for _, group := range []string{delegatedCgroup(), ownCgroup()} {
		text, err := os.ReadFile(filepath.Join(group, "cgroup.controllers"))
		if err == nil {
			return strings.Fields(string(text))
		}
	}
	return nil
}

// UserMemoryKills counts the processes of this user's, those in containers of an
// engine without root included, that the kernel has killed for want of memory.
// systemd's group for the user outlives every container's, and counts for those
// that are gone, too. It is false where nobody counts.
func UserMemoryKills() (int64, bool) {
	return memory.Count(filepath.Join(delegatedCgroup(), filepath.Base(memory.Events)))
}

// delegatedCgroup is the group that systemd gives to this user.
func delegatedCgroup() string {
	uid := strconv.Itoa(os.Getuid())
	return filepath.Join(cgroupRoot, "user.slice", "user-"+uid+".slice", "user@"+uid+".service")
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

// HostAddresses are those under which this host can be reached by itself,
// loopback aside. They include link-local ones: an engine's user-mode network connects
// from the host itself, where they are valid without a neighbour.
func HostAddresses() ([]netip.Addr, error) {
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

// UnifiedCgroups reports whether the host has cgroup v2 alone. Every group of it
// can be frozen, whatever controllers it has.
func UnifiedCgroups() bool {
	var stat unix.Statfs_t
	return unix.Statfs(cgroupRoot, &stat) == nil && stat.Type == unix.CGROUP2_SUPER_MAGIC
}
