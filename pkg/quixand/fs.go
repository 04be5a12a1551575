package quixand

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
)

// FS gives the directory dir of the sandbox as a read-only io/fs.FS, with
// ReadDir, ReadFile, Stat, Lstat, ReadLink and Sub. Files are opened with ctx,
// and with it they end; those that are regular can seek and read at offsets.
// Symbolic links are followed, wherever in the sandbox they lead.
func (s *Sandbox) FS(ctx context.Context, dir string) fs.FS {
	return &sandboxFS{ctx: ctx, files: s.Files, dir: strings.TrimSuffix(dir, "/")}
}

type sandboxFS struct {
	ctx   context.Context // an fs.FS has no other way to take one
	files *Files
	dir   string
}

var (
	_ fs.ReadDirFS  = (*sandboxFS)(nil)
	_ fs.ReadFileFS = (*sandboxFS)(nil)
	_ fs.StatFS     = (*sandboxFS)(nil)
	_ fs.SubFS      = (*sandboxFS)(nil)
	_ fs.ReadLinkFS = (*sandboxFS)(nil)
)

// path is the sandbox's path of a name, which is checked.
func (f *sandboxFS) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return f.dir + "/", nil
	}
	return f.dir + "/" + name, nil
}

// fsError is the error that io/fs wants.
func fsError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Open implements fs.FS.
func (f *sandboxFS) Open(name string) (fs.File, error) {
	info, err := f.stat("open", name)
	if err != nil {
		return nil, err
	}
	base := openFile{fs: f, name: name, info: info}
	switch {
	case info.IsDir():
		return &openDir{openFile: base}, nil
	case info.Mode().IsRegular():
		return &regularFile{openFile: base}, nil
	}
	return nil, fsError("open", name, errIrregular)
}

var errIrregular = errors.New("neither a file nor a directory")

// Stat implements fs.StatFS.
func (f *sandboxFS) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name) }

// stat follows links: what the sandbox says a link leads to is asked for in
// its place, once, as the sandbox has followed the whole chain.
func (f *sandboxFS) stat(op, name string) (fs.FileInfo, error) {
	e, err := f.lstat(op, name)
	if err == nil && e.Mode().Type() == fs.ModeSymlink {
		var target *Entry
		if target, err = f.files.Stat(f.ctx, e.entry.Target); err == nil {
			e.entry = target
		}
	}
	if err != nil {
		return nil, fsError(op, name, err)
	}
	return e, nil
}

// Lstat implements fs.ReadLinkFS.
func (f *sandboxFS) Lstat(name string) (fs.FileInfo, error) {
	info, err := f.lstat("lstat", name)
	if err != nil {
		return nil, fsError("lstat", name, err)
	}
	return info, nil
}

func (f *sandboxFS) lstat(op, name string) (fileInfo, error) {
	p, err := f.path(op, name)
	if err != nil {
		return fileInfo{}, err
	}
	e, err := f.files.Stat(f.ctx, p)
	if err != nil {
		return fileInfo{}, err
	}
	return fileInfo{e, path.Base(name)}, nil
}

// ReadLink implements fs.ReadLinkFS. The sandbox tells the end of the chain of
// links, not its next element.
func (f *sandboxFS) ReadLink(name string) (string, error) {
	info, err := f.lstat("readlink", name)
	if err == nil && info.Mode().Type() != fs.ModeSymlink {
		err = fs.ErrInvalid
	}
	if err != nil {
		return "", fsError("readlink", name, err)
	}
	return info.entry.Target, nil
}

// ReadDir implements fs.ReadDirFS.
func (f *sandboxFS) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := f.path("readdir", name)
	if err != nil {
		return nil, err
	}
	list, err := f.files.List(f.ctx, p, 1)
	if err != nil {
		return nil, fsError("readdir", name, err)
	}
	entries := make([]fs.DirEntry, len(list))
	for i, e := range list {
		entries[i] = fileInfo{e, e.Name}
	}
	return entries, nil
}

// ReadFile implements fs.ReadFileFS.
func (f *sandboxFS) ReadFile(name string) ([]byte, error) {
	p, err := f.path("read", name)
	if err != nil {
		return nil, err
	}
	data, err := f.files.Read(f.ctx, p)
	return data, fsError("read", name, err)
}

// Sub implements fs.SubFS.
func (f *sandboxFS) Sub(dir string) (fs.FS, error) {
	p, err := f.path("sub", dir)
	if err != nil {
		return nil, err
	}
	return &sandboxFS{ctx: f.ctx, files: f.files, dir: strings.TrimSuffix(p, "/")}, nil
}

// openFile is what files and directories have in common.
type openFile struct {
	fs     *sandboxFS
	name   string
	info   fs.FileInfo
	closed bool
}

func (o *openFile) Stat() (fs.FileInfo, error) { return o.info, nil }

func (o *openFile) check(op string) error {
	if o.closed {
		return &fs.PathError{Op: op, Path: o.name, Err: fs.ErrClosed}
	}
	return nil
}

// regularFile is an open file. Its content is asked for when it is read.
type regularFile struct {
	openFile
	pos  int64
	body io.ReadCloser // from pos on, or nil
}

var (
	_ io.ReadSeekCloser = (*regularFile)(nil)
	_ io.ReaderAt       = (*regularFile)(nil)
)

// Read implements io.Reader.
func (r *regularFile) Read(b []byte) (int, error) {
	if err := r.check("read"); err != nil {
		return 0, err
	}
	if r.body == nil {
		var err error
		if r.body, err = r.open(r.pos, -1); err != nil {
			return 0, fsError("read", r.name, err)
		}
	}
	n, err := r.body.Read(b)
	r.pos += int64(n)
	if err != nil && err != io.EOF { //nolint:errorlint // only the plain one is the end
		err = fsError("read", r.name, err)
	}
	return n, err
}

func (r *regularFile) open(offset, length int64) (io.ReadCloser, error) {
	p, err := r.fs.path("read", r.name)
	if err != nil {
		return nil, err
	}
	return r.fs.files.OpenRange(r.fs.ctx, p, offset, length)
}

// ReadAt implements io.ReaderAt.
func (r *regularFile) ReadAt(b []byte, offset int64) (int, error) {
	if err := r.check("read"); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, &fs.PathError{Op: "read", Path: r.name, Err: fs.ErrInvalid}
	}
	if len(b) == 0 {
		return 0, nil
	}
	body, err := r.open(offset, int64(len(b)))
	if err != nil {
		return 0, fsError("read", r.name, err)
	}
	defer body.Close()
	n, err := io.ReadFull(body, b)
	if err == io.ErrUnexpectedEOF { //nolint:errorlint // ReadFull's own; a broken connection's is wrapped
		err = io.EOF
	}
	if err == io.EOF { //nolint:errorlint // likewise
		return n, err
	}
	return n, fsError("read", r.name, err)
}

// Seek implements io.Seeker. The end is that of the file as it was when it
// was opened.
func (r *regularFile) Seek(offset int64, whence int) (int64, error) {
	if err := r.check("seek"); err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.info.Size()
	default:
		offset = -1
	}
	if offset < 0 {
		return 0, &fs.PathError{Op: "seek", Path: r.name, Err: fs.ErrInvalid}
	}
	if offset != r.pos {
		r.drop()
		r.pos = offset
	}
	return offset, nil
}

func (r *regularFile) drop() {
	if r.body != nil {
		_ = r.body.Close()
		r.body = nil
	}
}

// Close implements fs.File.
func (r *regularFile) Close() error {
	if err := r.check("close"); err != nil {
		return err
	}
	r.drop()
	r.closed = true
	return nil
}

// openDir is an open directory. It is read as a whole, at the first ReadDir.
type openDir struct {
	openFile
	entries []fs.DirEntry
	read    bool
}

var _ fs.ReadDirFile = (*openDir)(nil)

// Read implements fs.File.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if err := d.check("readdir"); err != nil {
		return nil, err
	}
	if !d.read {
		entries, err := d.fs.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.entries, d.read = entries, true
	}
	if n > 0 && len(d.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.entries) {
		n = len(d.entries)
	}
	batch := d.entries[:n:n]
	d.entries = d.entries[n:]
	return batch, nil
}

// Close implements fs.File.
func (d *openDir) Close() error {
	if err := d.check("close"); err != nil {
		return err
	}
	d.closed = true
	return nil
}
