// Package hosttree turns trees of the host's files into tar streams and tar
// streams into such trees. What it unpacks comes from a sandbox, so a stream
// is taken for an attack: nothing is written outside of the directory that the
// caller names, no link that leads out of it is made, and none is followed.
package hosttree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// Pack returns a tar stream of a directory, under a name of one element; the
// directory itself comes first. Symbolic links are kept as links; sockets, pipes and devices are left
// out. Permissions and times are kept, owners are not.
//
// The stream is made as it is read: no goroutine stands behind it, and only one
// file is open at a time. progress, if not nil, is told how many bytes of
// content were read so far.
func Pack(dir, name string, progress func(read int64)) (io.ReadCloser, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(int64) {}
	}
	return &packer{root: root, name: name, todo: []string{"."}, progress: progress}, nil
}

type packer struct {
	root *os.Root
	name string   // the directory's in the stream
	todo []string // names that are still to be packed, the next one last
	done bool

	progress func(int64)
	total    int64

	head bytes.Buffer // what comes next: headers, padding
	file *os.File     // and then this one's content
	left int64        // of it
	pad  int          // behind it
}

// Read implements io.Reader.
func (p *packer) Read(b []byte) (int, error) {
	for {
		switch {
		case p.head.Len() > 0:
			return p.head.Read(b)
		case p.left > 0:
			return p.readFile(b)
		case p.file != nil:
			p.endFile()
		case len(p.todo) > 0:
			if err := p.next(); err != nil {
				return 0, err
			}
		case !p.done:
			p.done = true
			p.head.Write(make([]byte, 2*blockSize))
		default:
			return 0, io.EOF
		}
	}
}

// blockSize is the unit of a tar stream.
const blockSize = 512

// readFile reads content. The header has promised its size, so a file that has
// become shorter meanwhile is an error, and what was added to it is left out.
func (p *packer) readFile(b []byte) (int, error) {
	n, err := p.file.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	p.total += int64(n)
	p.progress(p.total)
	if errors.Is(err, io.EOF) {
		if n > 0 {
			return n, nil
		}
		err = fmt.Errorf("%s has become shorter while it was read", p.file.Name())
	}
	return n, err
}

func (p *packer) endFile() {
	_ = p.file.Close()
	p.file = nil
	p.head.Write(make([]byte, p.pad))
}

// next begins the next entry.
func (p *packer) next() error {
	name := p.todo[len(p.todo)-1]
	p.todo = p.todo[:len(p.todo)-1]
	info, err := p.root.Lstat(name)
	if err != nil {
		return err
	}
	switch info.Mode().Type() {
	case fs.ModeDir:
		if err := p.descend(name); err != nil {
			return err
		}
		return p.header(&tar.Header{Typeflag: tar.TypeDir}, name, info)
	case fs.ModeSymlink:
		target, err := p.root.Readlink(name)
		if err != nil {
			return err
		}
		return p.header(&tar.Header{Typeflag: tar.TypeSymlink, Linkname: target}, name, info)
	case 0:
		return p.beginFile(name)
	}
	return nil
}

// descend puts a directory's entries next, in lexical order.
func (p *packer) descend(dir string) error {
	f, err := p.root.Open(dir)
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	_ = f.Close()
	slices.Sort(names)
	slices.Reverse(names)
	for _, name := range names {
		p.todo = append(p.todo, path.Join(dir, name))
	}
	return err
}

// beginFile opens a file. The header describes what was opened, whatever has
// taken its name meanwhile.
func (p *packer) beginFile(name string) error {
	f, err := p.root.Open(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file any more", f.Name())
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	p.file, p.left = f, info.Size()
	p.pad = int(-info.Size() & (blockSize - 1))
	return p.header(&tar.Header{Typeflag: tar.TypeReg, Size: info.Size()}, name, info)
}

func (p *packer) header(h *tar.Header, name string, info fs.FileInfo) error {
	h.Name = path.Join(p.name, name)
	if info.IsDir() {
		h.Name += "/"
	}
	h.Mode = int64(info.Mode().Perm())
	h.ModTime = info.ModTime()
	h.Format = tar.FormatPAX // times below the second
	// One Writer for each header: the content does not pass through it.
	return tar.NewWriter(&p.head).WriteHeader(h)
}

// Close implements io.Closer.
func (p *packer) Close() error {
	if p.file != nil {
		_ = p.file.Close()
	}
	return p.root.Close()
}
