package hosttree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

const (
	maxEntries = 4 << 20
	maxName    = 4096 // the kernel's PATH_MAX
	copyBuffer = 256 << 10
)

// ErrHostile is matched by the errors for streams that no honest sandbox
// sends, and that are not unpacked any further.
var ErrHostile = errors.New("unexpected archive")

// Unpacker writes entries of a sandbox into one directory of the host.
type Unpacker struct {
	root     *os.Root
	progress func(written int64)
	buf      []byte

	base   string    // where the tree goes
	parent string    // the directory that is known to be one
	open   []openDir // directories that may still be filled
	report Report
}

// Report says what an Unpacker has done.
type Report struct {
	Entries int      // written
	Bytes   int64    // of file content
	Refused int      // symbolic links that lead out of the tree
	Samples []string // some of them
}

// openDir is a directory that gets its mode and time once it is filled.
type openDir struct {
	name string
	mode fs.FileMode
	time time.Time
}

// NewUnpacker returns an Unpacker that writes into root. progress, if not nil,
// is told all bytes written so far.
func NewUnpacker(root *os.Root, progress func(written int64)) *Unpacker {
	if progress == nil {
		progress = func(int64) {}
	}
	return &Unpacker{root: root, progress: progress, buf: make([]byte, copyBuffer)}
}

// Report says what was done so far.
func (u *Unpacker) Report() Report { return u.report }

// Unpack writes a tar stream of one directory, whose entries all begin with
// its name. It becomes the directory name in the root; "." is the root itself.
func (u *Unpacker) Unpack(r io.Reader, name string) error {
	u.base = name
	top := ""
	return u.unpack(r, func(entry string) (string, error) { return strip(entry, &top) })
}

// UnpackAll writes a tar stream into the root, whose entries may have nothing in
// common.
func (u *Unpacker) UnpackAll(r io.Reader) error {
	u.base = "."
	return u.unpack(r, local)
}

// unpack writes each entry at the place inside the tree that its name means.
func (u *Unpacker) unpack(r io.Reader, place func(entry string) (string, error)) error {
	archive := tar.NewReader(r)
	for entries := 0; ; entries++ {
		h, err := archive.Next()
		if err == io.EOF { //nolint:errorlint // a broken stream may wrap it, and is no end
			return u.closeDirs("")
		}
		if err != nil {
			return streamError(err)
		}
		if entries == maxEntries {
			return fmt.Errorf("%w: more than %d entries", ErrHostile, maxEntries)
		}
		inside, err := place(h.Name)
		if err == nil {
			err = u.entry(inside, h, archive)
		}
		if err != nil {
			return err
		}
	}
}

// streamError tells the stream's own end from the parser's complaint.
func streamError(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) {
		return fmt.Errorf("%w: %w", ErrHostile, err)
	}
	return err
}

// strip takes the top directory, which the first entry tells, off a name. What
// is left of the top's own is ".".
func strip(entry string, top *string) (string, error) {
	clean, err := local(entry)
	if err != nil {
		return "", err
	}
	first, rest, _ := strings.Cut(clean, "/")
	if *top == "" {
		*top = first
	}
	if first != *top {
		return "", fmt.Errorf("%w: name %.80q is not in %.80q", ErrHostile, entry, *top)
	}
	return path.Clean(rest), nil
}

// local cleans a name that leads nowhere else.
func local(entry string) (string, error) {
	clean := path.Clean(entry)
	if len(entry) > maxName || strings.ContainsRune(entry, 0) || !filepath.IsLocal(clean) {
		return "", fmt.Errorf("%w: name %.80q", ErrHostile, entry)
	}
	return clean, nil
}

// entry writes the entry that the tree has at inside.
func (u *Unpacker) entry(inside string, h *tar.Header, content io.Reader) error {
	name := path.Join(u.base, inside)
	if err := u.closeDirs(name); err != nil {
		return err
	}
	if inside == "." && h.Typeflag != tar.TypeDir {
		return fmt.Errorf("%w: %.80q is no directory", ErrHostile, h.Name)
	}
	switch mode := fs.FileMode(h.Mode) & fs.ModePerm; h.Typeflag {
	case tar.TypeDir:
		return u.dir(name, mode, h.ModTime)
	case tar.TypeReg:
		if isSparse(h) {
			return fmt.Errorf("%w: %.80q is a sparse file", ErrHostile, name)
		}
		return u.File(name, mode, h.ModTime, content)
	case tar.TypeSymlink:
		if !staysInside(inside, h.Linkname) {
			u.refuse(name, h.Linkname)
			return nil
		}
		return u.link(name, h.Linkname)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return nil
	}
	return fmt.Errorf("%w: %.80q is of type %q", ErrHostile, name, h.Typeflag)
}

// isSparse reports whether a few bytes of the stream stand for a file of any
// size. The sandbox's agent sends none of these.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// dir makes a directory, or takes the one that is there as it is.
func (u *Unpacker) dir(name string, mode fs.FileMode, modified time.Time) error {
	if err := u.inDir(path.Dir(name)); err != nil {
		return err
	}
	made, err := u.mkdir(name)
	if err != nil {
		return err
	}
	u.report.Entries++
	if made {
		u.open = append(u.open, openDir{name, mode, modified})
	}
	return nil
}

// mkdir makes a directory that we can write to, whatever its mode is to be. A
// link to one is not one.
func (u *Unpacker) mkdir(name string) (made bool, err error) {
	if name == "." {
		return false, nil
	}
	err = u.root.Mkdir(name, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return err == nil, err
	}
	info, err := u.root.Lstat(name)
	if err != nil {
		return false, err
	}
	if info.Mode().Type() == fs.ModeSymlink {
		return false, &fs.PathError{Op: "write through the symbolic link", Path: name, Err: fs.ErrPermission}
	}
	if !info.IsDir() {
		return false, &fs.PathError{Op: "make directory", Path: name, Err: fs.ErrExist}
	}
	return false, nil
}

// inDir makes sure that every element of dir is a directory and none a link.
// Streams are ordered, so mostly it is the one that was looked at last. It
// stays one: directories are not replaced.
func (u *Unpacker) inDir(dir string) error {
	if dir == "." || dir == u.parent {
		return nil
	}
	if err := u.inDir(path.Dir(dir)); err != nil {
		return err
	}
	if _, err := u.mkdir(dir); err != nil {
		return err
	}
	u.parent = dir
	return nil
}

// closeDirs gives the directories that do not hold name their modes and times,
// the innermost first. The empty name is in none.
func (u *Unpacker) closeDirs(name string) error {
	for len(u.open) > 0 {
		last := u.open[len(u.open)-1]
		if strings.HasPrefix(name, last.name+"/") {
			return nil
		}
		u.open = u.open[:len(u.open)-1]
		if err := u.root.Chmod(last.name, last.mode); err != nil {
			return err
		}
		if err := u.chtimes(last.name, last.time); err != nil {
			return err
		}
	}
	return nil
}

func (u *Unpacker) chtimes(name string, modified time.Time) error {
	if modified.IsZero() {
		return nil
	}
	return u.root.Chtimes(name, time.Time{}, modified)
}

// File writes a file in place of whatever file or link has its name.
func (u *Unpacker) File(name string, mode fs.FileMode, modified time.Time, content io.Reader) error {
	if err := u.replace(name); err != nil {
		return err
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = u.fill(f, content)
	if err == nil {
		err = f.Chmod(mode & fs.ModePerm)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	u.report.Entries++
	return u.chtimes(name, modified)
}

// fill copies with a buffer of ours: the one that os.File would make for each
// file costs more than a small file.
func (u *Unpacker) fill(f *os.File, content io.Reader) error {
	for {
		n, err := content.Read(u.buf)
		if n > 0 {
			if _, err := f.Write(u.buf[:n]); err != nil {
				return err
			}
			u.report.Bytes += int64(n)
			u.progress(u.report.Bytes)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// replace makes room for an entry. Directories stay.
func (u *Unpacker) replace(name string) error {
	if err := u.inDir(path.Dir(name)); err != nil {
		return err
	}
	info, err := u.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return &fs.PathError{Op: "replace directory", Path: name, Err: fs.ErrExist}
	}
	return u.root.Remove(name)
}

func (u *Unpacker) link(name, target string) error {
	if err := u.replace(name); err != nil {
		return err
	}
	u.report.Entries++
	return u.root.Symlink(target, name)
}

// refuse leaves a link out.
func (u *Unpacker) refuse(name, target string) {
	u.report.Refused++
	if len(u.report.Samples) < 3 {
		u.report.Samples = append(u.report.Samples, fmt.Sprintf("%.80q -> %.80q", name, target))
	}
}

// staysInside reports whether a link leads to a place in the tree, whatever
// other links there are. The directory of name holds no link, so ".." at the
// target's beginning is what it seems; behind any other element, which may be
// a link, it is not.
func staysInside(name, target string) bool {
	if target == "" || len(target) > maxName || path.IsAbs(target) || strings.ContainsRune(target, 0) {
		return false
	}
	rest := target
	for strings.HasPrefix(rest, "../") || strings.HasPrefix(rest, "./") || strings.HasPrefix(rest, "/") {
		_, rest, _ = strings.Cut(rest, "/")
	}
	for element := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), "/") {
		if element == ".." && rest != ".." {
			return false
		}
	}
	return filepath.IsLocal(path.Join(path.Dir(name), target))
}
