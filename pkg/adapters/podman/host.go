package podman

import (
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/local"
)

// host is what this adapter wants to know of the machine.
type host interface {
	// controllers are the cgroup controllers that rootless containers can use.
	controllers() []string
	// addresses are those under which this host can be reached by itself,
	// loopback aside.
	addresses() ([]netip.Addr, error)
	// freezer says whether rootless containers can be paused.
	freezer() bool
	// memoryKills counts the processes of this user's that the kernel has killed
	// for want of memory. It is false where nobody counts.
	memoryKills() (int64, bool)
	// ownedByRoot says whether the engine behind a socket is the real root's.
	ownedByRoot(socket string) bool
}

// localHost is the machine that this process runs on.
type localHost struct{}

func (localHost) controllers() []string            { return local.UserControllers() }
func (localHost) addresses() ([]netip.Addr, error) { return local.HostAddresses() }
func (localHost) freezer() bool                    { return local.UnifiedCgroups() }
func (localHost) memoryKills() (int64, bool)       { return local.UserMemoryKills() }

// MemoryKills counts for all of the user's containers.
func (e *engine) MemoryKills() (int64, bool) { return e.host.memoryKills() }

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
