// Package rebind gives a running sandbox the directory of its socket back,
// after somebody has deleted it on the host.
//
// A bind mount holds on to the directory itself and not to its name: in what
// was deleted nothing can be made any more. So a new directory has to be
// mounted in the place of the old one, and only who may mount both outside and
// inside can do it: the root of the user's own namespace. This package is what
// runs as that, as
//
//	podman unshare qs-agent rebind PID STARTED DIRECTORY
//
// It knows no engine, and believes nothing that the sandbox could have put in
// its way: inside, no link is followed, and what is mounted over is at worst
// the sandbox's own.
package rebind

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agentapi"
)

// Verb is the first argument of the command that Main is.
const Verb = "rebind"

// Signal tells an agent to make its socket anew.
const Signal = unix.SIGUSR1

// Args are the arguments of a command that mounts dir in the sandbox whose first
// process is pid, started at the time that Started tells.
func Args(pid int, started, dir string) []string {
	return []string{Verb, strconv.Itoa(pid), started, dir}
}

// Main does what Args ask for, without the verb. The process is good for
// nothing else afterwards: one of its threads is in the sandbox.
func Main(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: qs-agent rebind PID STARTED DIRECTORY")
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("process %q: %w", args[0], err)
	}
	// What follows changes the thread, which must end with this goroutine.
	runtime.LockOSThread()
	return directory(pid, args[1], args[2])
}

// directory mounts dir, and has the agent make its socket in it.
func directory(pid int, started, dir string) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	// It is looked at only after it was opened: the number could have become
	// another process's before.
	if now := Started(pid); now == "" || now != started {
		return fmt.Errorf("process %d is not the one that was meant", pid)
	}
	tree, err := clone(dir)
	if err != nil {
		return fmt.Errorf("clone the mount of %s: %w", dir, err)
	}
	if err := enter(process); err != nil {
		return fmt.Errorf("enter the sandbox: %w", err)
	}
	if err := replace(tree); err != nil {
		return fmt.Errorf("mount in the sandbox: %w", err)
	}
	return unix.PidfdSendSignal(process, Signal, nil, 0)
}

// clone makes a mount of dir that is nowhere yet, with the flags of the one
// that the engine had made.
func clone(dir string) (tree int, err error) {
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(at)
	tree, err = unix.OpenTree(at, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, os.NewSyscallError("open_tree", err)
	}
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{
		Attr_set:    unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC,
		Propagation: unix.MS_PRIVATE,
	})
	return tree, os.NewSyscallError("mount_setattr", err)
}

// enter takes this thread into the mount namespace of a process. Threads share
// a root and a working directory, which could not be changed for one alone.
func enter(process int) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	return os.NewSyscallError("setns", unix.Setns(process, unix.CLONE_NEWNS))
}

// replace mounts a tree in the place of the socket's directory.
func replace(tree int) error {
	old, err := inside(agentapi.SocketDir)
	if err != nil {
		return err
	}
	if err := detach(old); err != nil {
		return err
	}
	target, err := inside(agentapi.SocketDir)
	if err != nil {
		return err
	}
	return os.NewSyscallError("move_mount", unix.MoveMount(tree, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
}

// inside opens a directory of the sandbox's, on whose path there is no link.
func inside(path string) (int, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// detach takes the mount away that an open directory is the root of. One that
// is no such root is as well: the sandbox has moved it.
func detach(dir int) error {
	if err := unix.Fchdir(dir); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	err := unix.Unmount(".", unix.MNT_DETACH)
	if errors.Is(err, unix.EINVAL) {
		err = nil
	}
	return errors.Join(os.NewSyscallError("umount", err), os.NewSyscallError("chdir", unix.Chdir("/")))
}

// Started tells when a process was started, in the kernel's own words; with
// its number that names it for ever. It is empty for one that is not there.
func Started(pid int) string {
	const startTime = 22 // the field's number, in proc(5)
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	// The second field may contain anything, and ends with the last parenthesis.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < startTime-2 {
		return ""
	}
	return fields[startTime-3]
}
