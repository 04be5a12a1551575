// Package identity knows the accounts of a sandbox: who code runs as, where
// that account is at home, and what a path means to it.
//
// It reads passwd and group files itself, because the agent is built without
// cgo and runs in images that have neither libc nor such files. It does not
// switch identities; that is package spawn.
package identity

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
)

// ErrUnknownUser is returned for a name that has no account.
var ErrUnknownUser = errors.New("unknown user")

// User is an account that code can run as.
type User struct {
	Name   string
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary, without GID
	Home   string
	Shell  string

	// Workdir is where its commands start when they name no directory; empty
	// means Home.
	Workdir string
}

// Directory finds the accounts of one system. It is safe for concurrent use.
type Directory struct {
	db    database
	alias string // a further name of the default account

	mu  sync.RWMutex
	def User
}

// Options says where accounts are found and which one is the default.
type Options struct {
	EtcDir string // holds passwd and group
	User   User   // default account, complete
	Alias  string // further name of the default account, unless a file defines it
}

// NewDirectory returns a Directory. The default account is fixed here, once:
// code inside may come to own the passwd file, and must not be able to turn
// the name it runs under into root's.
func NewDirectory(o Options) *Directory {
	return &Directory{db: database{dir: o.EtcDir}, def: o.User, alias: o.Alias}
}

// Default returns the default account.
func (d *Directory) Default() User {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.def
}

// SetDefault changes the default account, or where its commands start. An
// empty argument changes nothing.
func (d *Directory) SetDefault(name, workdir string) error {
	u, err := d.Lookup(name)
	if err != nil {
		return err
	}
	if name != "" {
		u.Workdir = ""
	}
	if workdir != "" {
		if u.Workdir, err = u.Path(workdir); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.def = u
	return nil
}

// Lookup finds an account by its name or decimal uid. The empty name is the
// default account.
func (d *Directory) Lookup(name string) (User, error) {
	def := d.Default()
	if name == "" || name == def.Name {
		return def, nil
	}
	if u, ok := d.db.byName(name); ok {
		return u, nil
	}
	if name == d.alias {
		return def, nil
	}
	if name == "root" {
		return User{Name: "root", Home: "/root", Shell: "/bin/sh"}, nil
	}
	if uid, ok := parseID(name); ok {
		if uid == def.UID {
			return def, nil
		}
		if u, ok := d.db.byUID(uid); ok {
			return u, nil
		}
	}
	return User{}, fmt.Errorf("%w: %q", ErrUnknownUser, name)
}

// UserName returns the name of a uid, or the number as text.
func (d *Directory) UserName(uid uint32) string {
	if def := d.Default(); uid == def.UID {
		return def.Name
	}
	if u, ok := d.db.byUID(uid); ok {
		return u.Name
	}
	return numberOrRoot(uid)
}

// GroupName returns the name of a gid, or the number as text.
func (d *Directory) GroupName(gid uint32) string {
	if name, ok := d.db.groupName(gid); ok {
		return name
	}
	return numberOrRoot(gid)
}

func numberOrRoot(id uint32) string {
	if id == 0 {
		return "root"
	}
	return strconv.FormatUint(uint64(id), 10)
}

func (a account) user(groups []group) User {
	u := User{Name: a.name, UID: a.uid, GID: a.gid, Home: a.home, Shell: a.shell}
	if u.Home == "" {
		u.Home = "/"
	}
	if u.Shell == "" {
		u.Shell = "/bin/sh"
	}
	u.Groups = supplementary(groups, a.name, a.gid)
	return u
}

// maxGroups is the kernel's NGROUPS_MAX.
const maxGroups = 65536

func supplementary(groups []group, name string, primary uint32) []uint32 {
	var gids []uint32
	for _, g := range groups {
		if g.gid != primary && slices.Contains(g.members, name) && !slices.Contains(gids, g.gid) {
			gids = append(gids, g.gid)
		}
		if len(gids) == maxGroups {
			break
		}
	}
	return gids
}

// Current describes the user that this process runs as, with what the files
// in etcDir know of it.
func Current(etcDir string) User {
	db := database{dir: etcDir}
	uid := uint32(os.Getuid())
	u, ok := db.byUID(uid)
	if !ok {
		u = User{Name: numberOrRoot(uid), UID: uid, Home: "/", Shell: "/bin/sh"}
	}
	u.GID = uint32(os.Getgid())
	if home := os.Getenv("HOME"); home != "" {
		u.Home = home
	}
	return u
}

// FromHeader finds the account that a request's basic authentication names;
// its password is not looked at. Without it, the account is the default one.
func (d *Directory) FromHeader(h http.Header) (User, error) {
	name, _, ok := (&http.Request{Header: h}).BasicAuth()
	if !ok && h.Get("Authorization") != "" {
		return User{}, errors.New("authorization must be basic, with a user's name")
	}
	return d.Lookup(name)
}
