package template

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// RecipeName is the recipe's name in the stream of [Source.WriteTar]. No file of
// a context is called so.
const RecipeName = ".quixand-recipe"

// WriteTar streams the recipe and the files that it may use. Owners are left
// out, as podman build does it.
func (s *Source) WriteTar(w io.Writer) error {
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	t := tar.NewWriter(w)
	recipe := &tar.Header{Name: RecipeName, Mode: 0o644, Size: int64(len(s.Recipe.Text))}
	if err := t.WriteHeader(recipe); err != nil {
		return err
	}
	if _, err := t.Write(s.Recipe.Text); err != nil {
		return err
	}
	buf := make([]byte, 256<<10)
	err = s.walk(root, func(e Entry) error { return pack(t, root, e, buf) })
	if err != nil {
		return err
	}
	return t.Close()
}

func pack(t *tar.Writer, root *os.Root, e Entry, buf []byte) error {
	if e.Name == RecipeName {
		return invalid("a file of the context must not be called %s", RecipeName)
	}
	h, err := tar.FileInfoHeader(e.Info, e.Link)
	if err != nil {
		return err
	}
	h.Name = e.Name
	h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", ""
	if !e.Info.Mode().IsRegular() {
		return t.WriteHeader(h)
	}
	f, err := root.Open(e.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	// The size is that of the file that is open now: it may be another one.
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.CopyBuffer(t, io.LimitReader(f, h.Size), buf)
	if err == nil && n < h.Size {
		err = &fs.PathError{Op: "read", Path: filepath.Join(root.Name(), e.Name), Err: io.ErrUnexpectedEOF}
	}
	if err != nil {
		return fmt.Errorf("context: %w", err)
	}
	return nil
}
