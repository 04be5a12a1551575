package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
)

// Exit codes of a command that cannot be run, as shells have them.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

// cannotRun is why a command cannot be run. It is a result, not an error of
// the request: E2B's agent starts commands through a shell, and its clients
// expect the shell's text and exit code.
type cannotRun struct {
	code int
	text string
}

func (e *cannotRun) Error() string { return e.text }

// Lookup finds the file that a command names: itself when it has a slash,
// otherwise the first executable of that name in the command's own PATH.
func Lookup(cmd, path, dir string, u identity.User) (string, error) {
	if strings.Contains(cmd, "/") {
		return cmd, nil // execve tells what is wrong with it
	}
	var found error
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		file := filepath.Join(d, cmd)
		err := executable(file, u)
		if err == nil {
			return file, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			found = err
		}
	}
	if found != nil {
		return "", &cannotRun{codeNotExecutable, cmd + ": permission denied"}
	}
	return "", &cannotRun{codeNotFound, cmd + ": command not found"}
}

// executable reports why a user cannot execute a file. The agent asks for
// somebody else, so it reads the permission bits; execve has the last word.
func executable(file string, u identity.User) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.IsDir() || !mayExecute(info, u) {
		return fs.ErrPermission
	}
	return nil
}

func mayExecute(info fs.FileInfo, u identity.User) bool {
	perm := info.Mode().Perm()
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || u.UID == 0:
		return perm&0o111 != 0
	case st.Uid == u.UID:
		return perm&0o100 != 0
	case st.Gid == u.GID || slices.Contains(u.Groups, st.Gid):
		return perm&0o010 != 0
	}
	return perm&0o001 != 0
}

// CheckDir reports why a command cannot start in a directory.
func CheckDir(dir string, u identity.User) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cwd %q does not exist", dir)
	case err != nil:
		return fmt.Errorf("cwd: %w", err)
	case !info.IsDir():
		return fmt.Errorf("cwd %q is not a directory", dir)
	case u.UID != 0 && !mayExecute(info, u):
		return fmt.Errorf("cwd %q: permission denied for user %s", dir, u.Name)
	}
	return nil
}

// execError tells a command that cannot be run from a process that cannot be
// made.
func execError(cmd string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return &cannotRun{codeNotFound, cmd + ": no such file or interpreter"}
	case errors.Is(err, unix.EACCES):
		return &cannotRun{codeNotExecutable, cmd + ": permission denied"}
	case errors.Is(err, unix.ENOEXEC), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ELIBBAD),
		errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, unix.ETXTBSY):
		return &cannotRun{codeNotExecutable, fmt.Sprintf("%s: %v", cmd, err)}
	}
	return err
}
