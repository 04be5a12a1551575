package quixand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/hosttree"
)

// Put copies a file or a whole directory of the host into the sandbox, as cp -r
// does: to becomes the copy, or holds it when it is a directory, and "dir/."
// copies what is in dir. A file whose to ends in a slash goes into a directory
// of that name. Missing parents of to are created. Permissions, times and
// symbolic links are kept, but local itself is followed when it is a link;
// sockets, pipes and devices are left out. progress, when not nil, is told the
// bytes copied so far.
func (f *Files) Put(ctx context.Context, local, to string, progress func(int64)) error {
	return f.wrap(ctx, "put", to, f.put(ctx, local, to, progress))
}

func (f *Files) put(ctx context.Context, local, to string, progress func(int64)) error {
	info, err := os.Stat(local)
	if err != nil {
		return hostError(err)
	}
	there, err := f.target(ctx, to)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir() && there == isFile:
		return &Error{Kind: ErrConflict, Err: fmt.Errorf("cannot replace the file %s by a directory", to)}
	case info.IsDir():
		target := copyTarget(to, local, there == isDir)
		return f.putDir(ctx, local, target, there == isDir && target == to, progress)
	case info.Mode().IsRegular():
		return f.putFile(ctx, local, copyTarget(to, local, there == isDir || strings.HasSuffix(to, "/")), progress)
	}
	return invalid("%s is neither a file nor a directory", local)
}

// copyTarget is where the copy of source goes: into the directory to, or to
// itself. What is called "." or ".." has no name that the copy could get.
func copyTarget(to, source string, into bool) string {
	base := path.Base(source)
	if strings.HasSuffix(source, "/.") {
		base = "."
	}
	if !into || base == "." || base == ".." || base == "/" {
		return to
	}
	return strings.TrimSuffix(to, "/") + "/" + base
}

// presence is what a copy finds at its destination.
type presence int

const (
	isAbsent presence = iota
	isFile
	isDir
)

func (f *Files) target(ctx context.Context, to string) (presence, error) {
	e, err := f.stat(ctx, to)
	switch {
	case errors.Is(err, ErrNotFound) && saidByAgent(err):
		return isAbsent, nil
	case err != nil:
		return isAbsent, err
	case e.Leads.IsDir():
		return isDir, nil
	}
	return isFile, nil
}

func (f *Files) putFile(ctx context.Context, local, to string, progress func(int64)) error {
	file, err := os.Open(local)
	if err != nil {
		return hostError(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return hostError(err)
	}
	full, err := f.sandbox.path(to)
	if err != nil {
		return err
	}
	_, err = f.sandbox.agent.WriteFile(ctx, &agentclient.Upload{
		Path: full,
		Mode: info.Mode().Perm(), Modified: info.ModTime(), Size: info.Size(),
		// A file that grows meanwhile is copied as far as it was promised.
		Body: counting(io.LimitReader(file, info.Size()), progress),
	})
	return err
}

// putDir unpacks a directory beside where it is to be, under its new name, or
// its entries into one that is there, which keeps its mode and time.
func (f *Files) putDir(ctx context.Context, local, to string, merge bool, progress func(int64)) error {
	full, err := f.sandbox.path(to)
	if err != nil {
		return err
	}
	dir, name := full, "."
	if !merge {
		dir, name = path.Split(strings.TrimRight(full, "/"))
	}
	archive, err := hosttree.Pack(local, name, progress)
	if err != nil {
		return hostError(err)
	}
	defer archive.Close()
	return f.sandbox.agent.WriteArchive(ctx, dir, "", archive)
}

// counting returns a reader that reports what has been read.
func counting(r io.Reader, progress func(int64)) io.Reader {
	if progress == nil {
		return r
	}
	return &counter{r: r, progress: progress}
}

type counter struct {
	r        io.Reader
	total    int64
	progress func(int64)
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.total += int64(n)
	if n > 0 {
		c.progress(c.total)
	}
	return n, err
}

// Get copies a file or a whole directory of the sandbox to the host, as Put does
// the other way; only, parents of local must exist. Nothing is written outside
// of the copy, whatever the sandbox says, and no link on the way is followed;
// one at a place where a file goes is replaced. Devices, sockets and pipes are
// left out. Links that lead out of the copy are left out too, and make Get
// return ErrPermission when all else is copied. The bytes of what a sandbox
// sends are not bounded.
func (f *Files) Get(ctx context.Context, path, local string, progress func(int64)) error {
	return f.wrap(ctx, "get", path, f.get(ctx, path, local, progress))
}

func (f *Files) get(ctx context.Context, source, local string, progress func(int64)) error {
	e, err := f.stat(ctx, source)
	if err != nil {
		return err
	}
	name := source
	if source == "~" {
		name = e.Name // one checked element of a path
	}
	if e.Mode.Type() == fs.ModeSymlink {
		source = e.Target
		if e, err = f.stat(ctx, source); err != nil {
			return err
		}
	}
	isDir := e.Mode.IsDir()
	if !isDir && !e.Mode.IsRegular() {
		return invalid("%s is neither a file nor a directory", source)
	}
	dir, base, err := hostTarget(local, name, isDir)
	if err != nil {
		return hostError(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return hostError(err)
	}
	defer root.Close()
	u := hosttree.NewUnpacker(root, progress)
	if isDir {
		return partly(u, f.getDir(ctx, source, base, u))
	}
	return partly(u, f.getFile(ctx, source, base, e, u))
}

// hostTarget is the directory of the host that a copy is written into, and the
// copy's name there.
func hostTarget(local, source string, isDir bool) (dir, base string, err error) {
	if local == "" {
		return "", "", invalid("path on the host is empty")
	}
	info, err := os.Stat(local)
	into := err == nil && info.IsDir()
	switch {
	case into:
	case err == nil && isDir:
		return "", "", &Error{Kind: ErrConflict, Err: fmt.Errorf("cannot replace the file %s by a directory", local)}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", "", err
	case err != nil && !isDir && strings.HasSuffix(local, "/"):
		if err := os.Mkdir(local, 0o777); err != nil {
			return "", "", err
		}
		into = true
	}
	target := copyTarget(local, source, into)
	if into && target == local {
		return local, ".", nil
	}
	target = filepath.Clean(target)
	return filepath.Dir(target), filepath.Base(target), nil
}

func (f *Files) getFile(ctx context.Context, source, base string, e *agentclient.Entry, u *hosttree.Unpacker) error {
	d, err := f.open(ctx, source, 0, -1)
	if err != nil {
		return err
	}
	defer d.Close()
	return u.File(base, e.Mode.Perm(), e.Modified, d)
}

func (f *Files) getDir(ctx context.Context, source, base string, u *hosttree.Unpacker) error {
	full, err := f.sandbox.path(source)
	if err != nil {
		return err
	}
	d, err := f.sandbox.agent.ReadArchive(ctx, full, "")
	if err != nil {
		return err
	}
	defer d.Close()
	return u.Unpack(d, base)
}

// partly completes the error of a copy by what was copied before it.
func partly(u *hosttree.Unpacker, err error) error {
	done := u.Report()
	if err == nil && done.Refused > 0 {
		return &Error{Kind: ErrPermission, Err: fmt.Errorf("%d symbolic links lead out of the copy and were left out, such as %s",
			done.Refused, strings.Join(done.Samples, ", "))}
	}
	if err == nil {
		return nil
	}
	e := *asError(err)
	if errors.Is(err, hosttree.ErrHostile) {
		e.Kind = ErrInternal
	}
	e.Err = fmt.Errorf("%w (%d entries and %d bytes were copied before)", e.Err, done.Entries, done.Bytes)
	return &e
}

// hostError is an error of the host's file system, with its kind.
func hostError(err error) error {
	if err == nil {
		return nil
	}
	return asError(err)
}

// asError is err as an *Error; one that is none comes from the host.
func asError(err error) *Error {
	if e, ok := outermost(err); ok {
		return e
	}
	return &Error{Kind: kindOf(err), Err: onHost{err}}
}

// onHost marks errors about which the engine need not be asked.
type onHost struct{ error }

func (e onHost) Unwrap() error { return e.error }
