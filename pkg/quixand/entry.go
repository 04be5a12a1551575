package quixand

import (
	"io/fs"
	"time"

	"github.com/quixand/quixand/internal/agentclient"
)

// Entry describes a file system entry of a sandbox. It becomes an fs.FileInfo,
// and an fs.DirEntry, by [Entry.FileInfo].
type Entry struct {
	Name     string      `json:"name"`
	Path     string      `json:"path"` // absolute
	Size     int64       `json:"size"` // bytes
	Mode     fs.FileMode `json:"mode"` // type and permission bits
	Owner    string      `json:"owner"`
	Group    string      `json:"group"`
	Modified time.Time   `json:"modified"`
	Target   string      `json:"target,omitempty"` // where a symbolic link leads in the end
}

// IsDir reports whether the entry is a directory.
func (e *Entry) IsDir() bool { return e.Mode.IsDir() }

// FileInfo gives the entry as io/fs knows it. The FileInfo's Sys is the Entry.
func (e *Entry) FileInfo() fs.FileInfo { return fileInfo{e, e.Name} }

func newEntry(e *agentclient.Entry) *Entry {
	return &Entry{
		Name:     e.Name,
		Path:     e.Path,
		Size:     e.Size,
		Mode:     e.Mode,
		Owner:    e.Owner,
		Group:    e.Group,
		Modified: e.Modified,
		Target:   e.Target,
	}
}

// fileInfo is an Entry as fs.FileInfo and fs.DirEntry.
type fileInfo struct {
	entry *Entry
	name  string
}

var (
	_ fs.FileInfo = fileInfo{}
	_ fs.DirEntry = fileInfo{}
)

func (i fileInfo) Name() string               { return i.name }
func (i fileInfo) Size() int64                { return i.entry.Size }
func (i fileInfo) Mode() fs.FileMode          { return i.entry.Mode }
func (i fileInfo) ModTime() time.Time         { return i.entry.Modified }
func (i fileInfo) IsDir() bool                { return i.entry.Mode.IsDir() }
func (i fileInfo) Sys() any                   { return i.entry }
func (i fileInfo) Type() fs.FileMode          { return i.entry.Mode.Type() }
func (i fileInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i fileInfo) String() string             { return fs.FormatFileInfo(i) }
