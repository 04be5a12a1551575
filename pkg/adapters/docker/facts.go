package docker

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Facts are what the daemon said when it was first spoken to, or what it says
// now.
func (e *engine) Facts(ctx context.Context, certain bool) (*local.Facts, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	info := conn.info
	if certain {
		told, err := conn.Info(ctx, client.InfoOptions{})
		if err != nil {
			return nil, mapError(err)
		}
		info = &told.Info
	}
	shared, _, err := e.shares(conn, info)
	if err != nil {
		return nil, err
	}
	addresses, err := local.HostAddresses()
	if err != nil {
		return nil, mapError(err)
	}
	return &local.Facts{
		Controllers: controllers(info), LimitHint: hintLimit,
		Freezer:   info.CgroupDriver != "none",
		Addresses: addresses, Shared: shared,
		// An exit code goes with the container.
		Forgets:   true,
		AgentArgs: []string{"--block-network"},
	}, nil
}

// controllers are the limits that the daemon can enforce, by the names of cgroup
// v2. A rootless one has no others than systemd gives its user, whatever it says:
// Podman counts those of the host.
func controllers(info *system.Info) []string {
	var have []string
	for name, can := range map[string]bool{
		"memory": info.MemoryLimit && info.SwapLimit, "cpu": info.CPUCfsQuota, "pids": info.PidsLimit,
	} {
		if can && (!has(info, "rootless") || slices.Contains(local.UserControllers(), name)) {
			have = append(have, name)
		}
	}
	slices.Sort(have)
	return have
}

// dataPlaneVariable forces the way to the agent.
const dataPlaneVariable = "QS_DATA_PLANE"

// shares finds out whether the daemon can mount a directory of this user's, and
// why it cannot.
func (e *engine) shares(c *connection, info *system.Info) (shared bool, why string, err error) {
	switch e.way {
	case "":
		why = c.apart(info)
		return why == "", why, nil
	case "exec":
		return false, dataPlaneVariable + "=exec", nil
	case "socket":
		return true, "", nil
	default:
		return false, "", &adapters.Error{
			Adapter: Name, Kind: adapters.ErrInvalid, Err: fmt.Errorf("%s=%s", dataPlaneVariable, e.way),
			Hint: "set it to socket or exec, or leave it unset",
		}
	}
}

// apart says what keeps the daemon's containers from sharing a directory with
// this process, or nothing. A daemon in a virtual machine has a socket here as
// well; what gives it away is another kernel, name or size of memory.
func (c *connection) apart(info *system.Info) string {
	socket := c.endpoint.socket()
	var host unix.Utsname
	var size unix.Sysinfo_t
	if socket == "" || unix.Uname(&host) != nil || unix.Sysinfo(&size) != nil {
		return "it is on another machine"
	}
	switch {
	case info.KernelVersion != unix.ByteSliceToString(host.Release[:]),
		info.Name != unix.ByteSliceToString(host.Nodename[:]),
		info.MemTotal != int64(size.Totalram)*int64(size.Unit):
		return "it runs in a virtual machine or a container of its own"
	case has(info, "userns"):
		return "it gives containers user ids of their own"
	case has(info, "rootless") && !ownedBySelf(socket):
		return "it is another user's"
	}
	return ""
}

// has reports whether the daemon names a security option.
func has(info *system.Info, option string) bool {
	return slices.ContainsFunc(info.SecurityOptions, func(o string) bool {
		return slices.Contains(strings.Split(o, ","), "name="+option)
	})
}

func ownedBySelf(path string) bool {
	var stat unix.Stat_t
	return unix.Stat(path, &stat) == nil && int(stat.Uid) == os.Geteuid()
}
