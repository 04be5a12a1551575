package server

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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
	// maxUpload bounds what one COPY of a build can bring along, in bytes, and
	// what all of a build's have in them when they are unpacked.
	maxUpload = 4 << 30
	// maxUploads bounds what is kept of one key's.
	maxUploads = 4 * maxUpload
	// uploadTime bounds one upload.
	uploadTime = time.Hour
)

// uploads are archives that clients have sent for the COPY steps of their
// builds. They are kept by key and by the hash that the client gives them, so
// that what has not changed is sent once; a key never gets at another's.
type uploads struct {
	spool   *spool
	secret  []byte
	silence time.Duration // the longest between two parts of an upload
}

func (u *uploads) path(key, hash string) string {
	sum := sha256.Sum256([]byte(hash))
	return filepath.Join(u.spool.dir, key+"-"+hex.EncodeToString(sum[:])+".tar")
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
	body := &late{ReadCloser: http.MaxBytesReader(w, r.Body, maxUpload), w: w, silence: u.silence, end: time.Now().Add(uploadTime)}
	err := u.spool.store(r.Context(), key, u.path(key, hash), body, r.ContentLength)
	switch _, tooLong := errors.AsType[*http.MaxBytesError](err); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case tooLong:
		writeError(w, http.StatusRequestEntityTooLarge, "the files are too many")
	case errors.Is(err, errFull):
		writeError(w, http.StatusInsufficientStorage, err.Error())
	case errors.Is(err, os.ErrDeadlineExceeded):
		writeError(w, http.StatusRequestTimeout, "the files do not come")
	case body.err != nil:
		writeError(w, http.StatusBadRequest, "the files cannot be read")
	default:
		writeError(w, http.StatusInternalServerError, "the files cannot be kept")
	}
}

// late is the body of a request that may take long while it goes on.
type late struct {
	io.ReadCloser
	w       http.ResponseWriter
	silence time.Duration
	end     time.Time
	err     error // of the client, not io.EOF
}

func (l *late) Read(p []byte) (int, error) {
	deadline := time.Now().Add(l.silence)
	if l.end.Before(deadline) {
		deadline = l.end
	}
	_ = http.NewResponseController(l.w).SetReadDeadline(deadline)
	n, err := l.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		l.err = err
	}
	return n, err
}

// unpack puts what an archive holds into a directory of its own. What it takes of
// room, which no other archive of the build can have, is bytes.
func (u *uploads) unpack(ctx context.Context, key, hash, dir string, room *int64) error {
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
	limited := &io.LimitedReader{R: plain, N: *room}
	err = hosttree.NewUnpacker(root, nil).UnpackAll(limited)
	switch *room = limited.N; {
	case limited.N == 0:
		return &quixand.Error{Kind: quixand.ErrInvalid, Err: fmt.Errorf("the files of a build are more than %d bytes when they are unpacked", int64(maxUpload))}
	case errors.Is(err, hosttree.ErrHostile):
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
