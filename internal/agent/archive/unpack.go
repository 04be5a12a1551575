package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/ownfs"
)

// Unpack answers PUT: it unpacks a tar stream into a directory, which is
// created. What is created belongs to the user, whatever the stream says. An
// error says how far it came.
func (s *Service) Unpack(w http.ResponseWriter, r *http.Request) {
	user, target, err := s.target(r)
	if err == nil {
		err = unpackInto(r.Context(), target, r.Body, user)
	}
	if err != nil {
		httperr.WriteErr(w, err)
		return
	}
	// With a body: clients of net/http hand the connection of an answer without
	// one to the next request too early, so that a late cancellation of this one
	// would fail that one.
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}\n")
}

func unpackInto(ctx context.Context, target string, body io.Reader, user identity.User) error {
	if err := ownfs.MkdirAll(target, user); err != nil {
		return err
	}
	root, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	defer root.Close()
	u := &unpacker{ctx: ctx, root: root, user: user, buf: make([]byte, bufferSize)}
	defer u.leave()
	if err := u.unpack(body); err != nil {
		return fmt.Errorf("unpacked %d entries with %d bytes, then: %w", u.entries, u.bytes, err)
	}
	return nil
}

type unpacker struct {
	ctx  context.Context
	root *os.Root
	user identity.User
	buf  []byte

	// The directory of the last entry stays open: the next entry is mostly
	// beside it.
	dirName string
	dir     *os.Root

	dirs    []finished
	entries int
	bytes   int64
}

// finished is what a directory gets when nothing more is put into it.
type finished struct {
	name  string
	mode  fs.FileMode
	mtime time.Time
}

func (u *unpacker) unpack(body io.Reader) error {
	in := &trailer{r: bufio.NewReaderSize(body, bufferSize)}
	archive := tar.NewReader(in)
	for {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		h, err := archive.Next()
		if err == io.EOF {
			if !in.complete() {
				return httperr.BadRequest(errors.New("the archive is cut off"))
			}
			return u.finishDirs()
		}
		if err != nil {
			return httperr.BadRequest(err)
		}
		if err := u.entry(h, archive); err != nil {
			return fmt.Errorf("%q: %w", h.Name, err)
		}
		in.mark()
		u.entries++
	}
}

func (u *unpacker) entry(h *tar.Header, data io.Reader) error {
	name, err := clean(h.Name)
	if err != nil {
		return httperr.BadRequest(err)
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont:
		if isSparse(h) {
			return errSparse
		}
		return u.file(name, h, data)
	case tar.TypeGNUSparse:
		return errSparse
	case tar.TypeDir:
		return u.directory(name, h)
	case tar.TypeSymlink:
		return u.replace(name, func(dir *os.Root, base string) error {
			if err := dir.Symlink(h.Linkname, base); err != nil {
				return err
			}
			return dir.Lchown(base, int(u.user.UID), int(u.user.GID))
		})
	case tar.TypeLink:
		return u.link(name, h)
	case tar.TypeXGlobalHeader:
		return nil
	}
	return httperr.BadRequest(fmt.Errorf("entries of type %q are not unpacked", h.Typeflag))
}

// errSparse refuses files with holes: a few bytes of a stream could ask for
// more than any disk can hold.
var errSparse = httperr.BadRequest(errors.New("sparse files are not unpacked"))

func isSparse(h *tar.Header) bool {
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// clean returns an entry's name as a path below the target.
func clean(name string) (string, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return "", errors.New("name contains a NUL byte")
	}
	if slices.Contains(strings.Split(name, "/"), "..") {
		return "", errors.New("name leads out of the directory")
	}
	name = path.Clean(strings.TrimLeft(name, "/"))
	return name, nil
}

// enter opens the directory of an entry, creating it and its parents as a tar
// does whose archive leaves them out.
func (u *unpacker) enter(name string) (*os.Root, error) {
	if name == "." {
		return u.root, nil
	}
	if u.dir != nil && u.dirName == name {
		return u.dir, nil
	}
	dir, err := u.root.OpenRoot(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = u.mkdir(name); err == nil {
			dir, err = u.root.OpenRoot(name)
		}
	}
	if err != nil {
		return nil, err
	}
	u.leave()
	u.dirName, u.dir = name, dir
	return dir, nil
}

func (u *unpacker) leave() {
	if u.dir != nil {
		u.dir.Close()
		u.dir = nil
	}
}

// mkdir creates a directory and its missing parents.
func (u *unpacker) mkdir(name string) error {
	if parent := path.Dir(name); parent != "." {
		if _, err := u.root.Stat(parent); errors.Is(err, fs.ErrNotExist) {
			if err := u.mkdir(parent); err != nil {
				return err
			}
		}
	}
	err := u.root.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return u.own(u.root, name, 0o755)
}

// own gives a directory to the user.
func (u *unpacker) own(dir *os.Root, base string, mode fs.FileMode) error {
	f, err := dir.OpenFile(base, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := ownfs.Chown(f, u.user); err != nil {
		return err
	}
	return f.Chmod(mode)
}

// maxDirs bounds what an archive can make the agent remember.
const maxDirs = 1_000_000

func (u *unpacker) directory(name string, h *tar.Header) error {
	if name != "." { // the target itself
		if err := u.mkdir(name); err != nil {
			return err
		}
	}
	info, err := u.root.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return unix.ENOTDIR
	}
	if len(u.dirs) == maxDirs {
		return httperr.BadRequest(fmt.Errorf("more than %d directories", maxDirs))
	}
	u.dirs = append(u.dirs, finished{name, mode(h), h.ModTime})
	return nil
}

// finishDirs gives directories their modes and times, the deepest first: by
// then nothing changes them any more.
func (u *unpacker) finishDirs() error {
	for _, d := range slices.Backward(u.dirs) {
		if err := u.root.Chmod(d.name, d.mode); err != nil {
			return err
		}
		if err := u.root.Chtimes(d.name, d.mtime, d.mtime); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) file(name string, h *tar.Header, data io.Reader) error {
	return u.replace(name, func(dir *os.Root, base string) error {
		f, err := dir.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		err = u.fill(f, h, data)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
		return dir.Chtimes(base, h.ModTime, h.ModTime)
	})
}

func (u *unpacker) fill(f *os.File, h *tar.Header, data io.Reader) error {
	// Without its ReadFrom, which would bring a buffer of its own each time.
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, bodyReader{data}, u.buf)
	u.bytes += n
	if err != nil {
		return err
	}
	if err := ownfs.Chown(f, u.user); err != nil {
		return err
	}
	return f.Chmod(mode(h))
}

// bodyReader marks the errors of an archive as the caller's.
type bodyReader struct{ r io.Reader }

func (b bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = httperr.BadRequest(err)
	}
	return n, err
}

// link makes a hard link to an entry that came before.
func (u *unpacker) link(name string, h *tar.Header) error {
	old, err := clean(h.Linkname)
	if err != nil {
		return httperr.BadRequest(fmt.Errorf("link: %w", err))
	}
	if dir := path.Dir(name); dir != "." {
		if _, err := u.enter(dir); err != nil {
			return err
		}
	}
	err = u.root.Link(old, name)
	if errors.Is(err, fs.ErrExist) && old != name {
		if err = u.root.Remove(name); err == nil {
			err = u.root.Link(old, name)
		}
	}
	return err
}

// replace runs create for an entry, after removing what stands in its place.
// A directory does not give way.
func (u *unpacker) replace(name string, create func(dir *os.Root, base string) error) error {
	if name == "." {
		return unix.EISDIR
	}
	dir, err := u.enter(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	err = create(dir, base)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, statErr := dir.Lstat(base)
	if statErr == nil && info.IsDir() {
		return unix.EISDIR
	}
	if err := dir.Remove(base); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return create(dir, base)
}

// mode is the entry's, but for the bits that would lend out an identity.
func mode(h *tar.Header) fs.FileMode {
	m := fs.FileMode(h.Mode).Perm()
	if h.Mode&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}
