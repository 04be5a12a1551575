// Package statedir knows where Quixand keeps files on the host, and keeps two
// processes from tidying up under each other's feet.
//
// Each Quixand root has one runtime directory, and each sandbox one directory
// in it, which is shared with the sandbox and holds the agent's socket.
// Nothing in them is the truth about a sandbox: that is with the engine, and
// whatever is here can be deleted at any time.
package statedir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/adapters"
)

// Runtime is the runtime directory of one Quixand root.
type Runtime struct {
	path string
}

// Open finds the runtime directory of a root. Nothing is made yet.
func Open(root string) *Runtime {
	return open(root, base(root))
}

// open gives every root a directory of its own below base. Its name is short,
// because a socket's path has at most 107 bytes for those who bind by path.
func open(root, base string) *Runtime {
	key := sha256.Sum256([]byte(root))
	return &Runtime{filepath.Join(base, hex.EncodeToString(key[:4]))}
}

// base is where this user's sockets belong. The environment is believed only
// about a directory that is ours: after su or sudo it often names another
// user's. cron and ssh commands have no environment to believe.
func base(root string) string {
	for _, dir := range []string{
		os.Getenv("XDG_RUNTIME_DIR"),
		filepath.Join("/run/user", strconv.Itoa(os.Getuid())),
	} {
		if filepath.IsAbs(dir) && checkOwn(dir) == nil {
			return filepath.Join(dir, "quixand")
		}
	}
	return filepath.Join(root, "run")
}

// Path is the runtime directory itself.
func (r *Runtime) Path() string { return r.path }

// Sandbox is the directory of one sandbox.
func (r *Runtime) Sandbox(id string) string { return filepath.Join(r.path, id) }

// Session names the life of the file system that the directories are in. The
// user's runtime directory is another one after each restart of the host, and
// after the end of the user's last session.
func (r *Runtime) Session() string {
	base := filepath.Dir(filepath.Dir(r.path))
	var stat unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, base, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &stat); err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d %d.%d", stat.Dev_major, stat.Dev_minor, stat.Btime.Sec, stat.Btime.Nsec)
}

// Log is the file for what a sandbox's engine logs. It is beside the directory
// and not in it, where the sandbox could put a link in its place.
func (r *Runtime) Log(id string) string { return filepath.Join(r.path, id+".log") }

// IDs lists the sandboxes that have a directory. Some of them may be gone.
func (r *Runtime) IDs() ([]string, error) {
	entries, err := os.ReadDir(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && adapters.ValidID(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// make creates the runtime directory and refuses one that others could have
// put there for us.
func (r *Runtime) make() error {
	base := filepath.Dir(r.path)
	if err := os.MkdirAll(base, 0o700); err != nil {
		return err
	}
	// Not MkdirAll: it says "exists" of a directory that goes meanwhile.
	if err := os.Mkdir(r.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := checkOwn(base); err != nil {
		return err
	}
	return checkOwn(r.path)
}

// checkOwn fails unless dir is a directory that belongs to this user and that
// nobody else can write.
func checkOwn(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "use", Path: dir, Err: syscall.ENOTDIR}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user: %w", dir, fs.ErrPermission)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by others: %w", dir, fs.ErrPermission)
	}
	return nil
}
