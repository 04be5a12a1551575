package identity

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// maxFile bounds what is read of a passwd or group file: the sandbox can
// write anything into them.
const maxFile = 1 << 20

// database is the passwd and group file of a system, read again when one of
// them changes.
type database struct {
	dir string

	mu            sync.Mutex
	passwd, group fileStamp
	accounts      []account
	groups        []group
}

// byName finds the first account of a name.
func (d *database) byName(name string) (User, bool) {
	return d.find(func(a account) bool { return a.name == name })
}

// byUID finds the first account of a uid.
func (d *database) byUID(uid uint32) (User, bool) {
	return d.find(func(a account) bool { return a.uid == uid })
}

func (d *database) find(match func(account) bool) (User, bool) {
	accounts, groups := d.load()
	i := slices.IndexFunc(accounts, match)
	if i < 0 {
		return User{}, false
	}
	return accounts[i].user(groups), true
}

// groupName finds the first name of a gid.
func (d *database) groupName(gid uint32) (string, bool) {
	_, groups := d.load()
	i := slices.IndexFunc(groups, func(g group) bool { return g.gid == gid })
	if i < 0 {
		return "", false
	}
	return groups[i].name, true
}

// fileStamp tells whether a file is still the one that was read. The zero
// stamp matches nothing.
type fileStamp struct {
	read bool
	info os.FileInfo // nil: there was no file
}

func (s fileStamp) matches(now os.FileInfo) bool {
	if s.info == nil || now == nil {
		return s.read && s.info == nil && now == nil
	}
	return s.read && os.SameFile(s.info, now) && s.info.Size() == now.Size() &&
		s.info.ModTime().Equal(now.ModTime())
}

// settled is how old a file must be before its stamp is trusted: a change
// within the clock's granularity after the reading would leave no mark.
const settled = 20 * time.Millisecond

func (d *database) load() ([]account, []group) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if text, changed := d.passwd.refresh(filepath.Join(d.dir, "passwd")); changed {
		d.accounts = parsePasswd(text)
	}
	if text, changed := d.group.refresh(filepath.Join(d.dir, "group")); changed {
		d.groups = parseGroup(text)
	}
	return d.accounts, d.groups
}

// refresh reads the file when it differs from its stamp. A file that cannot
// be read counts as empty.
func (s *fileStamp) refresh(path string) (text string, changed bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		info = nil
	}
	if s.matches(info) {
		return "", false
	}
	s.info = info
	s.read = info == nil || time.Since(info.ModTime()) > settled
	if info == nil {
		return "", true
	}
	return readBounded(path), true
}

func readBounded(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxFile))
	return string(b)
}
