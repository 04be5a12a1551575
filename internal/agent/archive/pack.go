package archive

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/httperr"
)

// Pack answers GET with a tar stream of a file or directory. Sockets, FIFOs
// and devices are left out: they mean nothing elsewhere.
func (s *Service) Pack(w http.ResponseWriter, r *http.Request) {
	_, target, err := s.target(r)
	if err == nil {
		_, err = os.Lstat(target)
	}
	if err != nil {
		httperr.WriteErr(w, err)
		return
	}
	parent, err := os.OpenRoot(filepath.Dir(target))
	if err != nil {
		httperr.WriteErr(w, err)
		return
	}
	defer parent.Close()
	w.Header().Set("Content-Type", "application/x-tar")
	p := newPacker(r.Context(), w)
	name := filepath.Base(target)
	if target == "/" {
		name = "."
	}
	if err := errors.Join(p.add(parent, name, name, 0), p.close()); err != nil {
		panic(http.ErrAbortHandler) // the status is sent: only a broken body tells
	}
}

type packer struct {
	ctx  context.Context
	buf  *bufio.Writer
	tar  *tar.Writer
	data []byte // on its way from a file
}

func newPacker(ctx context.Context, w io.Writer) *packer {
	buf := bufio.NewWriterSize(w, bufferSize)
	return &packer{ctx: ctx, buf: buf, tar: tar.NewWriter(buf), data: make([]byte, bufferSize)}
}

func (p *packer) close() error {
	return errors.Join(p.tar.Close(), p.buf.Flush())
}

// maxDepth bounds the descriptors that a hostile tree makes us hold: one for
// each level.
const maxDepth = 1000

// add writes the entry called base in dir, and what is below it, under a name
// in the archive. What vanishes meanwhile is left out.
func (p *packer) add(dir *os.Root, base, name string, depth int) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	info, err := dir.Lstat(base)
	if err != nil {
		return gone(err)
	}
	switch {
	case info.Mode().IsRegular():
		return p.file(dir, base, name)
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := dir.Readlink(base)
		if err != nil {
			return gone(err)
		}
		h := header(name, info)
		h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, link, 0
		return p.tar.WriteHeader(h)
	case info.IsDir():
		return p.directory(dir, base, name, info, depth)
	}
	return nil
}

// file describes the file that was opened, not the one that was found.
func (p *packer) file(dir *os.Root, base, name string) error {
	f, err := dir.OpenFile(base, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return gone(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return gone(err)
	}
	h := header(name, info)
	h.Typeflag = tar.TypeReg
	if err := p.tar.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.CopyBuffer(p.tar, io.LimitReader(f, h.Size), p.data)
	if err != nil {
		return err
	}
	// A file that shrank meanwhile is filled up, as every tar does.
	_, err = io.CopyN(p.tar, zeros{}, h.Size-n)
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func (p *packer) directory(dir *os.Root, base, name string, info fs.FileInfo, depth int) error {
	if depth == maxDepth {
		return fmt.Errorf("%s: deeper than %d directories", name, maxDepth)
	}
	h := header(name+"/", info)
	h.Typeflag, h.Size = tar.TypeDir, 0
	if err := p.tar.WriteHeader(h); err != nil {
		return err
	}
	sub, err := dir.OpenRoot(base)
	if err != nil {
		return gone(err)
	}
	defer sub.Close()
	list, err := sub.Open(".")
	if err != nil {
		return gone(err)
	}
	defer list.Close()
	if isPseudo(list) {
		return nil
	}
	return p.entries(sub, list, name, depth+1)
}

// entries reads a directory in pieces, so that a huge one needs no memory.
func (p *packer) entries(dir *os.Root, list *os.File, name string, depth int) error {
	for {
		entries, err := list.ReadDir(4096)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
		for _, e := range entries {
			if err := p.add(dir, e.Name(), path.Join(name, e.Name()), depth); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// isPseudo reports whether a directory belongs to the kernel: its files are
// endless, or change what they describe when they are read.
func isPseudo(dir *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.DEVPTS_SUPER_MAGIC:
		return true
	}
	return false
}

// header describes an entry without names of users: they are the sandbox's,
// and mean nothing elsewhere.
func header(name string, info fs.FileInfo) *tar.Header {
	h := &tar.Header{
		Name:    name,
		Size:    info.Size(),
		Mode:    int64(info.Mode().Perm()),
		ModTime: info.ModTime(),
		Format:  tar.FormatPAX, // keeps fractions of seconds
	}
	for bit, mode := range map[int64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if info.Mode()&mode != 0 {
			h.Mode |= bit
		}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		h.Uid, h.Gid = int(st.Uid), int(st.Gid)
	}
	return h
}

// gone turns the error of an entry that has vanished into none.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
