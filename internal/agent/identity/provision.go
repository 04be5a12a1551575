package identity

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Provision makes sure that the system under root has an account to run code
// as, a home directory for it, the working directory, and a /tmp, whatever
// the image brought: a scratch image brings nothing. want is a name or a
// decimal uid; an existing account wins, and fallback names a new one.
//
// On a read-only system the account exists in the agent's memory alone.
//
// It is done at the start of a sandbox and not when an image is built: all of it
// takes half a millisecond, a tenth of that where it has been done.
func Provision(root, want, fallback, workdir string) (User, error) {
	p := provisioner{root: root, db: database{dir: filepath.Join(root, "etc")}, chown: os.Lchown}
	return p.provision(want, fallback, workdir)
}

type provisioner struct {
	root  string
	db    database
	chown func(path string, uid, gid int) error
}

func (p *provisioner) provision(want, fallback, workdir string) (User, error) {
	u, err := p.account(want, fallback)
	if err != nil {
		return User{}, err
	}
	if err := p.directory("/tmp", User{}, 0o777|os.ModeSticky); err != nil {
		return User{}, err
	}
	for _, dir := range []string{u.Home, workdir} {
		if err := p.directory(dir, u, 0o755); err != nil {
			return User{}, err
		}
	}
	u.Home = p.existing(u.Home, "/tmp")
	u.Workdir = p.existing(workdir, u.Home)
	return u, nil
}

// existing returns the first directory that there is: on a read-only system
// none of them may be.
func (p *provisioner) existing(dirs ...string) string {
	for _, dir := range dirs {
		if info, err := os.Stat(filepath.Join(p.root, dir)); err == nil && info.IsDir() {
			return dir
		}
	}
	return "/"
}

func (p *provisioner) account(want, fallback string) (User, error) {
	if u, ok := p.db.byName(want); ok {
		return u, nil
	}
	uid, ok := parseID(want)
	if !ok {
		return User{}, fmt.Errorf("%w: %q", ErrUnknownUser, want)
	}
	if u, ok := p.db.byUID(uid); ok {
		return u, nil
	}
	u := User{Name: fallback, UID: uid, GID: uid, Home: "/home/" + fallback, Shell: p.shell()}
	if uid == 0 {
		u.Name, u.Home = "root", "/root"
	}
	if _, taken := p.db.byName(u.Name); taken {
		u.Name += strconv.FormatUint(uint64(uid), 10)
		u.Home = "/home/" + u.Name
	}
	return u, p.register(u)
}

func (p *provisioner) shell() string {
	for _, sh := range []string{"/bin/bash", "/bin/sh"} {
		if _, err := os.Stat(filepath.Join(p.root, sh)); err == nil {
			return sh
		}
	}
	return "/sbin/nologin"
}

func (p *provisioner) register(u User) error {
	if err := os.MkdirAll(p.db.dir, 0o755); err != nil && !readOnly(err) {
		return err
	}
	passwd := fmt.Sprintf("%s:x:%d:%d::%s:%s\n", u.Name, u.UID, u.GID, u.Home, u.Shell)
	if err := appendLine(filepath.Join(p.db.dir, "passwd"), passwd); err != nil {
		return err
	}
	if _, exists := p.db.groupName(u.GID); exists {
		return nil
	}
	return appendLine(filepath.Join(p.db.dir, "group"), fmt.Sprintf("%s:x:%d:\n", u.Name, u.GID))
}

// appendLine adds a line to a file that may be missing or lack its last
// newline. A read-only file system is left as it is.
func appendLine(path, line string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(text) > 0 && !strings.HasSuffix(string(text), "\n") {
		line = "\n" + line
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		if readOnly(err) {
			return nil
		}
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// directory creates a directory that is to belong to a user. One that exists
// keeps its owner and mode, unless it is root's and empty: that is what an
// engine leaves when it makes the working directory for us.
func (p *provisioner) directory(path string, owner User, mode os.FileMode) error {
	full := filepath.Join(p.root, path)
	err := os.MkdirAll(filepath.Dir(full), 0o755)
	if err == nil {
		err = os.Mkdir(full, 0o700)
	}
	switch {
	case errors.Is(err, os.ErrExist) && rootsAndEmpty(full):
	case errors.Is(err, os.ErrExist), readOnly(err):
		return nil
	case err != nil:
		return err
	}
	if err := p.chown(full, int(owner.UID), int(owner.GID)); err != nil {
		return err
	}
	return os.Chmod(full, mode)
}

func rootsAndEmpty(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o002 != 0 {
		return false
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 {
		return false
	}
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}

func readOnly(err error) bool {
	return errors.Is(err, syscall.EROFS)
}
