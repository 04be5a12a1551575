package template

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// What the stream of [Source.WriteTar] holds beside the files of the context.
const (
	ownPrefix = ".quixand-"
	// RecipeName is the recipe's name.
	RecipeName = ownPrefix + "recipe"
	// OwnNames is a pattern for all of them: no instruction may see them, and
	// no file of a context is called so.
	OwnNames = ownPrefix + "*"
)

// SecretNames says which file holds which secret.
func SecretNames(secrets map[string][]byte) map[string]string {
	names := make(map[string]string, len(secrets))
	for id := range secrets {
		names[id] = ownPrefix + "secret-" + id
	}
	return names
}

// WriteTar streams the recipe, the secrets and the files that the recipe may
// use. Owners are left out, as podman build does it.
func (s *Source) WriteTar(w io.Writer, secrets map[string][]byte) error {
	t := tar.NewWriter(w)
	if err := packOwn(t, RecipeName, s.Recipe.Text); err != nil {
		return err
	}
	for id, name := range SecretNames(secrets) {
		if err := packOwn(t, name, secrets[id]); err != nil {
			return err
		}
	}
	buf := make([]byte, 256<<10)
	err := s.walk(func(root *os.Root, e Entry) error { return pack(t, root, e, buf) })
	if err != nil {
		return err
	}
	return t.Close()
}

func packOwn(t *tar.Writer, name string, content []byte) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := t.Write(content)
	return err
}

func pack(t *tar.Writer, root *os.Root, e Entry, buf []byte) error {
	if strings.HasPrefix(e.Name, ownPrefix) {
		return invalid("a file of the context must not be called %s", e.Name)
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
		return fmt.Errorf("context: %w", err)
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
