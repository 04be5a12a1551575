package files

import (
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quixand/quixand/internal/agent/filesystem"
	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/ownfs"
	"github.com/quixand/quixand/internal/agentapi"
)

// written is what E2B answers for each file.
type written struct {
	Path     string            `json:"path"`
	Name     string            `json:"name"`
	Type     string            `json:"type"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// upload is one POST of one or more files.
type upload struct {
	user identity.User
	mode *os.FileMode // nil: not asked for
	time *time.Time   // nil: not asked for
	meta metadata
	path string // the query's, or empty
	done []written
	seen map[string]bool // the paths of done
}

// Upload answers POST: each file is streamed to its place.
func (s *Service) Upload(w http.ResponseWriter, r *http.Request) {
	files, err := s.upload(r)
	if err != nil {
		httperr.WriteErr(w, err)
		return
	}
	if len(files) == 1 {
		s.describe(w.Header(), files[0].Path)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(files)
}

// describe adds what Stat would say of a file. Without it, clients ask.
func (s *Service) describe(h http.Header, path string) {
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	entry, err := proto.Marshal(filesystem.Describe(path, info, s.users))
	if err == nil {
		h.Set(agentapi.HeaderEntry, base64.RawURLEncoding.EncodeToString(entry))
	}
}

func (s *Service) upload(r *http.Request) ([]written, error) {
	up, err := s.newUpload(r)
	if err != nil {
		return nil, err
	}
	body, err := decode(r)
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, httperr.BadRequest(fmt.Errorf("content type: %w", err))
	}
	switch {
	case kind == "application/octet-stream" && up.path == "":
		err = httperr.BadRequest(errors.New("path is required"))
	case kind == "application/octet-stream":
		err = up.write(up.path, body)
	case kind == "multipart/form-data":
		err = up.parts(body, params["boundary"])
	default:
		err = httperr.BadRequest(fmt.Errorf("content type %q is neither multipart/form-data nor application/octet-stream", kind))
	}
	return up.done, err
}

func (s *Service) newUpload(r *http.Request) (*upload, error) {
	u, path, err := s.target(r)
	if err != nil {
		return nil, err
	}
	up := &upload{user: u, done: []written{}, seen: make(map[string]bool)}
	if r.URL.Query().Get("path") != "" {
		up.path = path
	}
	if up.mode, err = fileMode(r.Header); err != nil {
		return nil, err
	}
	if up.time, err = fileTime(r.Header); err != nil {
		return nil, err
	}
	up.meta, err = metadataFrom(r.Header)
	return up, err
}

func fileMode(h http.Header) (*os.FileMode, error) {
	text := h.Get(agentapi.HeaderFileMode)
	if text == "" {
		return nil, nil
	}
	bits, err := strconv.ParseUint(text, 8, 32)
	if err != nil || bits > 0o777 {
		return nil, httperr.BadRequest(fmt.Errorf("header %s has no octal permission bits: %q", agentapi.HeaderFileMode, text))
	}
	mode := os.FileMode(bits)
	return &mode, nil
}

func fileTime(h http.Header) (*time.Time, error) {
	text := h.Get(agentapi.HeaderFileTime)
	if text == "" {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, httperr.BadRequest(fmt.Errorf("header %s has no time: %w", agentapi.HeaderFileTime, err))
	}
	return &t, nil
}

// decode undoes the encoding of a request's body.
func decode(r *http.Request) (io.Reader, error) {
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return r.Body, nil
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, httperr.BadRequest(fmt.Errorf("content encoding: %w", err))
		}
		return z, nil
	default:
		return nil, httperr.BadRequest(fmt.Errorf("content encoding %q is not understood", encoding))
	}
}

// multipartBuffer saves system calls: package multipart reads four KiB at a
// time.
const multipartBuffer = 256 << 10

// parts writes every part named "file", which is what E2B's clients call it.
func (up *upload) parts(body io.Reader, boundary string) error {
	if boundary == "" {
		return httperr.BadRequest(errors.New("multipart body without a boundary"))
	}
	parts := multipart.NewReader(bufio.NewReaderSize(body, multipartBuffer), boundary)
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF { //nolint:errorlint // a wrapped EOF means that the body ends too soon
			return nil
		}
		if err != nil {
			return httperr.BadRequest(fmt.Errorf("multipart body: %w", err))
		}
		if part.FormName() != "file" {
			continue
		}
		path, err := up.partPath(part)
		if err != nil {
			return httperr.BadRequest(err)
		}
		if err := up.write(path, whole{part}); err != nil {
			return err
		}
	}
}

// whole fills every buffer that it is given. Package multipart gives up to four
// KiB, and each would be written alone.
type whole struct{ io.Reader }

func (w whole) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = w.Reader.Read(p[n:])
		n += more
	}
	return n, err
}

// maxFiles bounds what one request can make the agent remember.
const maxFiles = 100_000

func (up *upload) partPath(part *multipart.Part) (string, error) {
	path := up.path
	if path == "" {
		name := fileName(part.Header.Get("Content-Disposition"))
		if name == "" {
			return "", errors.New("neither the query nor the part names a path")
		}
		var err error
		if path, err = up.user.Path(name); err != nil {
			return "", err
		}
	}
	if up.seen[path] {
		return "", fmt.Errorf("%q is given twice", path)
	}
	if len(up.done) == maxFiles {
		return "", fmt.Errorf("more than %d files: send fewer at once", maxFiles)
	}
	return path, nil
}

// fileName returns the whole file name of a part. multipart.Part.FileName
// leaves only its last element.
func fileName(disposition string) string {
	_, params, err := mime.ParseMediaType(disposition)
	if err != nil {
		return ""
	}
	return params["filename"]
}

// write streams one file to its place.
func (up *upload) write(path string, body io.Reader) error {
	f, size, err := ownfs.Create(path, up.user)
	if err != nil {
		// Here a missing or unfit parent is the caller's mistake.
		if errors.Is(err, fs.ErrNotExist) {
			err = httperr.BadRequest(err)
		}
		return err
	}
	meta, err := up.fill(f, size, body)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	up.seen[path] = true
	up.done = append(up.done, written{Path: path, Name: filepath.Base(path), Type: "file", Metadata: meta})
	return nil
}

func (up *upload) fill(f *os.File, size int64, body io.Reader) (stored metadata, err error) {
	if up.mode != nil {
		if err := f.Chmod(*up.mode); err != nil {
			return nil, err
		}
	}
	if stored, err = up.meta.store(f); err != nil {
		return nil, err
	}
	n, err := copyInto(f, body)
	if err := errors.Join(err, cutOff(f, n, size)); err != nil {
		return nil, err
	}
	if up.time != nil {
		return stored, ownfs.Chtime(f, *up.time)
	}
	return stored, nil
}

// buffers is for uploads. Its size is what a unix socket can hold, so that
// one read empties it.
var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// copyInto is io.Copy that tells the two ends' errors apart: the body's are
// the caller's.
func copyInto(f *os.File, body io.Reader) (written int64, err error) {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, readErr := body.Read(buf[:])
		if n > 0 {
			n, err := f.Write(buf[:n])
			written += int64(n)
			if err != nil {
				return written, err
			}
		}
		if errors.Is(readErr, io.EOF) {
			return written, nil
		}
		if readErr != nil {
			return written, httperr.BadRequest(fmt.Errorf("body: %w", readErr))
		}
	}
}

// cutOff removes what is left of a file's old contents behind the new. An
// empty file is touched: it was written, too.
func cutOff(f *os.File, written, size int64) error {
	if written > 0 && written >= size {
		return nil
	}
	return f.Truncate(written)
}
