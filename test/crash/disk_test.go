package crash

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// fullDisk in the environment names a directory; the program in the arguments is
// then run where that is a file system without room.
const fullDisk = "QS_CRASH_FULL_DISK"

// TestMain lets the test binary be what mounts a full disk, in namespaces of its
// own, before it becomes qs.
func TestMain(m *testing.M) {
	dir := os.Getenv(fullDisk)
	if dir == "" {
		os.Exit(m.Run())
	}
	err := unix.Mount("full", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700,size=4k,nr_inodes=1")
	if err == nil {
		err = unix.Exec(os.Args[1], os.Args[1:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(125)
}

// onFullDisk is qs where a directory is on a disk without room.
func (s *site) onFullDisk(dir string, env []string, args ...string) (string, error) {
	s.Helper()
	self, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, append([]string{s.qs}, args...)...)
	cmd.Env = append(append(cmd.Env, s.env...), append(env, fullDisk+"="+dir)...)
	ids := []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
	groups := []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, UidMappings: ids, GidMappings: groups,
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN},
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("qs %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// TestFullRuntimeDirectory: where a sandbox's directory cannot be made, the
// engine is not even asked.
func TestFullRuntimeDirectory(t *testing.T) {
	s := newSite(t)
	if err := os.MkdirAll(s.dirs().Path(), 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := s.onFullDisk(s.dirs().Path(), nil, "create", "--quiet", "--json")
	if err == nil || !strings.Contains(err.Error(), "no space left on device") || !strings.Contains(err.Error(), `"error"`) {
		t.Errorf("create: %q, %v", out, err)
	}
	s.within(grace, s.empty)
}

// TestFullRoot: what is kept below the Quixand root are caches and memories, for
// want of which no sandbox is refused.
func TestFullRoot(t *testing.T) {
	s := newSite(t)
	root := filepath.Join(s.root, "full")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	env := []string{"QS_ROOT=" + root}
	id, err := s.onFullDisk(root, env, "create", "--quiet")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.onFullDisk(root, env, "exec", id, "--", "echo", "alive"); err != nil || out != "alive" {
		t.Errorf("exec: %q, %v", out, err)
	}
	if _, err := s.onFullDisk(root, env, "kill", id); err != nil {
		t.Error(err)
	}
	s.root = root
	s.within(grace, s.empty)
}
