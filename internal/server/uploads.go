package server

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/quixand/quixand/internal/hosttree"
	"github.com/quixand/quixand/pkg/quixand"
)

const (
	// maxUpload bounds what one COPY of a build can bring along, packed and
	// unpacked, in bytes.
	maxUpload = 4 << 30
	// uploadAge is how long files are kept that no build has asked for lately.
	uploadAge = 24 * time.Hour
)

// uploads are archives that clients have sent for the COPY steps of their
// builds. They are kept by key and by the hash that the client gives them, so
// that what has not changed is sent once; a key never gets at another's.
type uploads struct {
	dir    string
	secret []byte
}

func (u *uploads) path(key, hash string) string {
	sum := sha256.Sum256([]byte(key + ":" + hash))
	return filepath.Join(u.dir, hex.EncodeToString(sum[:])+".tar")
}

// link is where an archive is to be sent. Whoever has it needs no key.
func (u *uploads) link(r *http.Request, key, hash string) string {
	at := url.URL{Scheme: "http", Host: r.Host, Path: "/uploads/" + key + "/" + hash}
	if r.TLS != nil {
		at.Scheme = "https"
	}
	at.RawQuery = url.Values{"token": {u.token(key, hash)}}.Encode()
	return at.String()
}

func (u *uploads) token(key, hash string) string { return tokenFor(u.secret, "upload", key+":"+hash) }

// present reports whether an archive is there, and keeps it for a while more.
func (u *uploads) present(key, hash string) bool {
	now := time.Now()
	return os.Chtimes(u.path(key, hash), now, now) == nil
}

// receive takes an archive. It appears as a whole.
func (u *uploads) receive(w http.ResponseWriter, r *http.Request) {
	key, hash := r.PathValue("key"), r.PathValue("hash")
	if !hmac.Equal([]byte(r.URL.Query().Get("token")), []byte(u.token(key, hash))) {
		deny(w)
		writeError(w, http.StatusForbidden, "the link is not one of ours")
		return
	}
	err := u.store(u.path(key, hash), http.MaxBytesReader(w, r.Body, maxUpload))
	switch _, tooLong := errors.AsType[*http.MaxBytesError](err); {
	case tooLong:
		writeError(w, http.StatusRequestEntityTooLarge, "the files are too many")
	case err != nil:
		writeError(w, http.StatusInternalServerError, "the files cannot be kept")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (u *uploads) store(path string, content io.Reader) error {
	if err := os.MkdirAll(u.dir, 0o700); err != nil {
		return err
	}
	u.forget()
	f, err := os.CreateTemp(u.dir, "upload-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, content)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// forget removes what nobody has asked for lately, and what was cut off.
func (u *uploads) forget() {
	entries, err := os.ReadDir(u.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > uploadAge {
			_ = os.RemoveAll(filepath.Join(u.dir, e.Name()))
		}
	}
}

// unpack puts what an archive holds into a directory of its own.
func (u *uploads) unpack(ctx context.Context, key, hash, dir string) error {
	f, err := os.Open(u.path(key, hash))
	if errors.Is(err, fs.ErrNotExist) {
		return &quixand.Error{Kind: quixand.ErrNotFound, Err: errors.New("the files of a COPY have not been sent, or have been forgotten since")}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	defer context.AfterFunc(ctx, func() { f.Close() })()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	plain, err := maybeGzip(f)
	if err != nil {
		return err
	}
	err = hosttree.NewUnpacker(root, nil).UnpackAll(io.LimitReader(plain, maxUpload))
	if errors.Is(err, hosttree.ErrHostile) {
		return &quixand.Error{Kind: quixand.ErrInvalid, Err: err}
	}
	return err
}

// maybeGzip unpacks what is packed: clients may leave that out.
func maybeGzip(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	if magic, _ := b.Peek(2); string(magic) == "\x1f\x8b" {
		return gzip.NewReader(b)
	}
	return b, nil
}
