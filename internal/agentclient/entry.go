package agentclient

import (
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/envd/filesystem"
)

// Entry describes one entry of the sandbox's file system. Its name is safe to
// use as the name of a file; its other texts are the sandbox's words.
type Entry struct {
	Name     string // one element, neither "." nor ".."; "/" is the root's
	Path     string // absolute and clean
	Size     int64
	Mode     fs.FileMode // of the entry itself, as Lstat has it
	Owner    string
	Group    string
	Modified time.Time
	Target   string      // where a symbolic link leads in the end
	Leads    fs.FileMode // the type of what is there: Mode's for all but links
}

// parseEntry checks what the agent says of an entry.
func parseEntry(e *filesystem.EntryInfo) (*Entry, error) {
	if e == nil {
		return nil, garbage("no entry")
	}
	mode, ok := parseMode(e.GetPermissions())
	if !ok {
		return nil, garbage("permissions %.40q", e.GetPermissions())
	}
	if p := e.GetPath(); !path.IsAbs(p) || path.Clean(p) != p || path.Base(p) != e.GetName() || strings.ContainsRune(p, 0) {
		return nil, garbage("entry %.80q at %.80q", e.GetName(), p)
	}
	if e.GetSize() < 0 {
		return nil, garbage("size %d", e.GetSize())
	}
	if t := e.GetModifiedTime(); t != nil && t.CheckValid() != nil {
		return nil, garbage("modification time %d", t.GetSeconds())
	}
	entry := &Entry{
		Name:     e.GetName(),
		Path:     e.GetPath(),
		Size:     e.GetSize(),
		Mode:     mode,
		Owner:    e.GetOwner(),
		Group:    e.GetGroup(),
		Modified: e.GetModifiedTime().AsTime(),
		Leads:    mode.Type(),
	}
	if mode.Type() == fs.ModeSymlink {
		entry.Target = e.GetSymlinkTarget()
		entry.Leads = targetType(e.GetType())
	}
	return entry, nil
}

// targetType is the type of a link's target, which E2B gives as the link's own.
func targetType(t filesystem.FileType) fs.FileMode {
	switch t {
	case filesystem.FileType_FILE_TYPE_FILE:
		return 0
	case filesystem.FileType_FILE_TYPE_DIRECTORY:
		return fs.ModeDir
	}
	return fs.ModeIrregular // broken, or something that is neither
}

func parseEntries(list []*filesystem.EntryInfo) ([]*Entry, error) {
	entries := make([]*Entry, len(list))
	for i, e := range list {
		var err error
		if entries[i], err = parseEntry(e); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// parseMode is the inverse of fs.FileMode.String, in which the protocol writes
// the mode: letters for the type and the special bits, then nine for rwx.
func parseMode(s string) (fs.FileMode, bool) {
	const types, rwx = "dalTLDpSugct?", "rwxrwxrwx"
	if len(s) < len(rwx)+1 || len(s) > len(rwx)+len(types) {
		return 0, false
	}
	special, perm := s[:len(s)-len(rwx)], s[len(s)-len(rwx):]
	var mode fs.FileMode
	for i := range len(rwx) {
		switch perm[i] {
		case rwx[i]:
			mode |= 1 << (len(rwx) - 1 - i)
		case '-':
		default:
			return 0, false
		}
	}
	if special == "-" {
		return mode, true
	}
	for _, c := range []byte(special) {
		i := strings.IndexByte(types, c)
		if i < 0 {
			return 0, false
		}
		mode |= 1 << (31 - i)
	}
	return mode, true
}
