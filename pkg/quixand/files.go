package quixand

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"

	"github.com/quixand/quixand/internal/agentclient"
)

// Files works on a sandbox's file system. Relative paths begin at the sandbox's
// workdir, "~" is the user's home. Created files and directories belong to the
// sandbox's user. What the agent says of a path can be told by errors.Is also
// with the errors of io/fs: a missing file is fs.ErrNotExist, while a sandbox
// that is gone is only ErrNotFound. It is safe for concurrent use.
type Files struct {
	sandbox *Sandbox
}

// MaxRead bounds what [Files.Read] and [Files.ReadString] return, in bytes. Larger
// files are for [Files.Open].
const MaxRead = 256 << 20

// Write creates or replaces the file, with its parents.
func (f *Files) Write(ctx context.Context, path string, data []byte) (*Entry, error) {
	return f.write(ctx, path, bytes.NewReader(data), int64(len(data)), nil)
}

// WriteString is Write for text.
func (f *Files) WriteString(ctx context.Context, path, text string) (*Entry, error) {
	return f.write(ctx, path, strings.NewReader(text), int64(len(text)), nil)
}

// WriteFrom is Write for a stream of any length. An error of r leaves what was
// read before it in the file. When WriteFrom fails, a Read of r may still be
// going on.
func (f *Files) WriteFrom(ctx context.Context, path string, r io.Reader, opts *WriteOptions) (*Entry, error) {
	switch r := r.(type) {
	case *bytes.Reader:
		return f.write(ctx, path, r, int64(r.Len()), opts)
	case *bytes.Buffer:
		return f.write(ctx, path, r, int64(r.Len()), opts)
	case *strings.Reader:
		return f.write(ctx, path, r, int64(r.Len()), opts)
	case *os.File:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			return f.write(ctx, path, r, -1, opts) // reading it does not wait
		}
	}
	r, stop := interruptible(ctx, r)
	defer stop()
	return f.write(ctx, path, r, -1, opts)
}

// interruptible returns a reader of what r reads that fails when ctx ends.
// net/http does not come back from a request, cancelled or not, while a Read
// of its body is going on.
func interruptible(ctx context.Context, r io.Reader) (reader io.Reader, stop func()) {
	pr, pw := io.Pipe()
	free := context.AfterFunc(ctx, func() { pw.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.CopyBuffer(pw, r, make([]byte, 64<<10))
		pw.CloseWithError(err)
	}()
	return pr, func() {
		free()
		pr.Close()
	}
}

// WriteOptions says how a file is written.
type WriteOptions struct {
	Mode fs.FileMode // permission bits; zero keeps an existing file's, and is 0644 for a new one
	User string      // owner; empty is the sandbox's user
}

func (f *Files) write(ctx context.Context, path string, r io.Reader, size int64, opts *WriteOptions) (*Entry, error) {
	if opts == nil {
		opts = &WriteOptions{}
	}
	full, err := f.sandbox.path(path)
	if err == nil && opts.Mode&^fs.ModePerm != 0 {
		err = invalid("mode %v is more than permission bits", opts.Mode)
	}
	if err != nil {
		return nil, f.wrap(ctx, "write", path, err)
	}
	e, err := f.sandbox.agent.WriteFile(ctx, &agentclient.Upload{Path: full, User: opts.User, Mode: opts.Mode, Size: size, Body: r})
	if err != nil {
		return nil, f.wrap(ctx, "write", path, err)
	}
	return newEntry(e), nil
}

func (f *Files) wrap(ctx context.Context, op, path string, err error) error {
	return f.sandbox.wrapPath(ctx, op, path, err)
}

// Read returns the file's content. More than MaxRead bytes are ErrExhausted.
func (f *Files) Read(ctx context.Context, path string) ([]byte, error) {
	d, err := f.open(ctx, path, 0, -1)
	if err != nil {
		return nil, f.wrap(ctx, "read", path, err)
	}
	defer d.Close()
	data, err := readAll(d)
	return data, f.wrap(ctx, "read", path, err)
}

// readAll reads what is at most MaxRead bytes long. The size that the agent has
// announced is believed as far as the memory for it is small.
func readAll(d *agentclient.Download) ([]byte, error) {
	if d.Size > MaxRead {
		return nil, errTooLarge
	}
	const trusted = 1 << 20
	buf := bytes.NewBuffer(make([]byte, 0, min(max(d.Size, 0), trusted)+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(d, MaxRead+1)); err != nil {
		return nil, err
	}
	if buf.Len() > MaxRead {
		return nil, errTooLarge
	}
	return buf.Bytes(), nil
}

var errTooLarge = &Error{
	Kind: ErrExhausted,
	Err:  fmt.Errorf("file is larger than %d bytes", MaxRead),
	Hint: "read it as a stream, with Files.Open",
}

// ReadString is Read for text.
func (f *Files) ReadString(ctx context.Context, path string) (string, error) {
	data, err := f.Read(ctx, path)
	return string(data), err
}

// Open streams the file's content. ctx bounds the whole stream.
func (f *Files) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	return f.OpenRange(ctx, path, 0, -1)
}

// OpenRange streams length bytes from offset on; a negative length is the rest.
// What lies behind the end of the file is left out.
func (f *Files) OpenRange(ctx context.Context, path string, offset, length int64) (io.ReadCloser, error) {
	d, err := f.open(ctx, path, offset, length)
	if err != nil {
		return nil, f.wrap(ctx, "open", path, err)
	}
	return &content{Download: d, ctx: ctx, files: f, path: path}, nil
}

func (f *Files) open(ctx context.Context, path string, offset, length int64) (*agentclient.Download, error) {
	full, err := f.sandbox.path(path)
	if err != nil {
		return nil, err
	}
	if offset < 0 || length > math.MaxInt64-offset {
		return nil, invalid("range of %d bytes at %d", length, offset)
	}
	return f.sandbox.agent.ReadFile(ctx, full, "", offset, length)
}

// content is a download whose errors name the file.
type content struct {
	*agentclient.Download
	ctx   context.Context // the stream's
	files *Files
	path  string
}

func (c *content) Read(b []byte) (int, error) {
	n, err := c.Download.Read(b)
	if err != nil && err != io.EOF { //nolint:errorlint // only the plain one is the end
		err = c.files.wrap(c.ctx, "read", c.path, err)
	}
	return n, err
}

// Stat describes the entry at path; a symbolic link is not followed.
func (f *Files) Stat(ctx context.Context, path string) (*Entry, error) {
	e, err := f.stat(ctx, path)
	if err != nil {
		return nil, f.wrap(ctx, "stat", path, err)
	}
	return newEntry(e), nil
}

func (f *Files) stat(ctx context.Context, path string) (*agentclient.Entry, error) {
	full, err := f.sandbox.path(path)
	if err != nil {
		return nil, err
	}
	return f.sandbox.agent.Stat(ctx, full)
}

// Exists reports whether there is an entry at path.
func (f *Files) Exists(ctx context.Context, path string) (bool, error) {
	_, err := f.Stat(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// List describes what is in the directory, in lexical order, each directory
// before its content. depth is how many levels; 0 means 1.
func (f *Files) List(ctx context.Context, path string, depth int) ([]*Entry, error) {
	entries, err := f.list(ctx, path, depth)
	return entries, f.wrap(ctx, "list", path, err)
}

func (f *Files) list(ctx context.Context, path string, depth int) ([]*Entry, error) {
	full, err := f.sandbox.path(path)
	if err != nil {
		return nil, err
	}
	if depth < 0 || depth > math.MaxInt32 {
		return nil, invalid("depth %d", depth)
	}
	list, err := f.sandbox.agent.List(ctx, full, depth)
	if err != nil {
		return nil, err
	}
	entries := make([]*Entry, len(list))
	for i, e := range list {
		entries[i] = newEntry(e)
	}
	return entries, nil
}

// Mkdir creates one directory. One that exists already is ErrExists; a missing
// parent is ErrNotFound.
func (f *Files) Mkdir(ctx context.Context, path string) error {
	return f.wrap(ctx, "mkdir", path, f.mkdir(ctx, path, false))
}

// MkdirAll creates the directory and its parents. One that exists already is fine.
func (f *Files) MkdirAll(ctx context.Context, path string) error {
	err := f.mkdir(ctx, path, true)
	if errors.Is(err, ErrExists) { // said of a directory only
		return nil
	}
	return f.wrap(ctx, "mkdir", path, err)
}

func (f *Files) mkdir(ctx context.Context, path string, parents bool) error {
	full, err := f.sandbox.path(path)
	if err != nil {
		return err
	}
	return f.sandbox.agent.MakeDir(ctx, full, parents)
}

// Rename moves an entry, replacing a file at the destination. Missing parents
// of the destination are created.
func (f *Files) Rename(ctx context.Context, from, to string) error {
	return f.wrap(ctx, "rename", from, f.rename(ctx, from, to))
}

func (f *Files) rename(ctx context.Context, from, to string) error {
	fullFrom, err := f.sandbox.path(from)
	if err != nil {
		return err
	}
	fullTo, err := f.sandbox.path(to)
	if err != nil {
		return err
	}
	return f.sandbox.agent.Move(ctx, fullFrom, fullTo)
}

// Remove removes a file or an empty directory. A directory that is not empty
// is ErrConflict.
func (f *Files) Remove(ctx context.Context, path string) error {
	return f.wrap(ctx, "remove", path, f.remove(ctx, path, false))
}

// RemoveAll removes the entry and what is in it. A missing one is fine.
func (f *Files) RemoveAll(ctx context.Context, path string) error {
	return f.wrap(ctx, "remove", path, f.remove(ctx, path, true))
}

func (f *Files) remove(ctx context.Context, path string, recursive bool) error {
	full, err := f.sandbox.path(path)
	if err != nil {
		return err
	}
	return f.sandbox.agent.Remove(ctx, full, recursive)
}
