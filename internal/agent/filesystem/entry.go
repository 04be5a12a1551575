package filesystem

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quixand/quixand/internal/agent/identity"
	pb "github.com/quixand/quixand/internal/envd/filesystem"
)

// Describe returns what E2B says of an entry. Of a symbolic link, type and
// mode are those of what it leads to; the rest is the link's own.
func Describe(path string, info fs.FileInfo, users *identity.Directory) *pb.EntryInfo {
	e := &pb.EntryInfo{
		Name:         text(info.Name()),
		Path:         text(path),
		Size:         info.Size(),
		Permissions:  info.Mode().String(),
		ModifiedTime: timestamppb.New(info.ModTime()),
	}
	if path == "/" {
		e.Name = "/"
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		e.Owner = text(users.UserName(st.Uid))
		e.Group = text(users.GroupName(st.Gid))
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target := text(describeLink(path, e))
		e.SymlinkTarget = &target
	} else {
		e.Type, e.Mode = typeOf(info.Mode()), uint32(info.Mode().Perm())
	}
	if e.Type == pb.FileType_FILE_TYPE_FILE {
		e.Metadata = metadata(path)
	}
	return e
}

// text makes a name fit the protocol, which knows UTF-8 only. One such name
// must not spoil the answer about all others.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// describeLink fills in what a link leads to and returns where that is; a
// link to nothing leads to itself.
func describeLink(path string, e *pb.EntryInfo) string {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path
	}
	if info, err := os.Stat(target); err == nil {
		e.Type, e.Mode = typeOf(info.Mode()), uint32(info.Mode().Perm())
	}
	return target
}

func typeOf(m fs.FileMode) pb.FileType {
	switch {
	case m.IsRegular():
		return pb.FileType_FILE_TYPE_FILE
	case m.IsDir():
		return pb.FileType_FILE_TYPE_DIRECTORY
	}
	return pb.FileType_FILE_TYPE_UNSPECIFIED
}

// metadataPrefix is where E2B keeps a file's metadata.
const metadataPrefix = "user.e2b."

// metadata reads the extended attributes that uploads have left.
func metadata(path string) map[string]string {
	var names [8 << 10]byte
	n, err := unix.Listxattr(path, names[:])
	if err != nil || n <= 0 {
		return nil
	}
	var all map[string]string
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		key, ok := strings.CutPrefix(name, metadataPrefix)
		if !ok {
			continue
		}
		var value [4 << 10]byte
		n, err := unix.Getxattr(path, name, value[:])
		if err != nil || !utf8.Valid(value[:n]) || !utf8.ValidString(key) {
			continue
		}
		if all == nil {
			all = make(map[string]string)
		}
		all[key] = string(value[:n])
	}
	return all
}
