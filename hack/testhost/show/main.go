// Show mounts directories of the machine in the test host. It does with the
// system calls what mount(8) does since util-linux 2.39 (X-mount.idmap and
// ro=recursive), so that neither the machine nor the host needs one so new.
//
//	show ro|rw SOURCE TARGET   root's files of SOURCE are the user's at TARGET
//	show seal DIR              nothing below DIR can be written, other mounts included
//
// hack/host builds it and runs it in the host's namespaces; it is of no use
// elsewhere.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// user is the test host's only one, in numbers that are the machine's as well.
const user = 1000

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "show:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "ro":
		return show(args[1], args[2], unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	case len(args) == 3 && args[0] == "rw":
		return show(args[1], args[2], unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
	case len(args) == 2 && args[0] == "seal":
		return seal(args[1])
	}
	return errors.New("usage: show ro|rw SOURCE TARGET, or show seal DIR")
}

// show mounts source at target: the machine's root is the user there.
func show(source, target string, attr unix.MountAttr) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return &os.PathError{Op: "open_tree", Path: source, Err: err}
	}
	defer unix.Close(tree)
	owners, err := userNamespace()
	if err != nil {
		return err
	}
	defer owners.Close()
	attr.Attr_set |= unix.MOUNT_ATTR_IDMAP
	attr.Userns_fd = uint64(owners.Fd())
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return &os.PathError{Op: "mount_setattr", Path: source, Err: err}
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: target, Err: err}
	}
	return nil
}

// userNamespace returns one in which root is the user, for the kernel to take
// the owners from. It needs a process to come into being, and no longer.
func userNamespace() (*os.File, error) {
	root := []syscall.SysProcIDMap{{ContainerID: 0, HostID: user, Size: 1}}
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: root, GidMappings: root}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", cmd.Process.Pid))
	// It waits for its input; the end of that is its own.
	return namespace, errors.Join(err, stdin.Close(), cmd.Wait())
}

func seal(dir string) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, dir, unix.AT_RECURSIVE, &attr); err != nil {
		return &os.PathError{Op: "mount_setattr", Path: dir, Err: err}
	}
	return nil
}
