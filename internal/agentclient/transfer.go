package agentclient

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/envd/filesystem"
)

// pathFiles is E2B's path for the content of files.
const pathFiles = "/files"

// Upload describes a file to write.
type Upload struct {
	Path     string
	User     string      // owner; empty is the agent's default
	Mode     fs.FileMode // permission bits; zero keeps a file's own
	Modified time.Time   // zero is now
	Size     int64       // of Body; negative when it is not known
	Body     io.Reader
}

// WriteFile creates or replaces a file. After an error of Body, or of the
// agent, what was sent before is in the file.
func (c *Client) WriteFile(ctx context.Context, u *Upload) (*Entry, error) {
	headers := []string{"Content-Type", "application/octet-stream"}
	if u.Mode != 0 {
		headers = append(headers, agentapi.HeaderFileMode, fmt.Sprintf("%#o", u.Mode.Perm()))
	}
	if !u.Modified.IsZero() {
		headers = append(headers, agentapi.HeaderFileTime, u.Modified.Format(time.RFC3339Nano))
	}
	query := []string{"path", u.Path, "username", u.User}
	res, err := c.send(ctx, http.MethodPost, pathFiles, query, headers, u.Body, u.Size)
	if err != nil {
		return nil, err
	}
	header := res.Get(agentapi.HeaderEntry)
	if header == "" { // not an agent of ours
		return c.Stat(ctx, u.Path)
	}
	return parseEntryHeader(header)
}

func parseEntryHeader(header string) (*Entry, error) {
	raw, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return nil, garbage("entry header: %w", err)
	}
	var e filesystem.EntryInfo
	if err := proto.Unmarshal(raw, &e); err != nil {
		return nil, garbage("entry header: %w", err)
	}
	return parseEntry(&e)
}

// WriteArchive unpacks a tar stream into the directory dir, which is created.
func (c *Client) WriteArchive(ctx context.Context, dir, user string, archive io.Reader) error {
	query := []string{"path", dir, "username", user}
	headers := []string{"Content-Type", "application/x-tar"}
	_, err := c.send(ctx, http.MethodPut, agentapi.PathArchive, query, headers, archive, -1)
	return err
}

// send makes a request with a body of any length and returns the headers of
// the answer.
func (c *Client) send(ctx context.Context, method, path string, query, headers []string, body io.Reader, size int64) (http.Header, error) {
	dog := newWatchdog(ctx)
	defer dog.end()
	req := newRequest(dog.ctx, method, path, query, headers)
	up := &upload{src: body, dog: dog, left: size}
	if size != 0 {
		req.Body, req.ContentLength = up, size
	}
	res, err := c.do(req, http.StatusOK, http.StatusNoContent)
	if res != nil {
		_, _ = io.CopyN(io.Discard, res.Body, maxJSON) // so that the connection can be used again
		_ = res.Body.Close()
	}
	if own := up.stop(); own != nil {
		return nil, own
	}
	if err != nil {
		return nil, dog.explain(err)
	}
	return res.Header, nil
}

// Download is the content of a file, or a tar stream, as it comes. It is used
// by one goroutine.
type Download struct {
	Size int64 // -1 when the agent does not say

	dog   *watchdog
	body  io.ReadCloser
	whole bool // though a range was asked for
}

// ReadFile opens length bytes of a file from offset on; a negative length is
// the rest. What lies behind the file's end is empty.
func (c *Client) ReadFile(ctx context.Context, path, user string, offset, length int64) (*Download, error) {
	query := []string{"path", path, "username", user}
	if offset == 0 && length < 0 {
		return c.open(ctx, pathFiles, query, nil)
	}
	d, err := c.open(ctx, pathFiles, query, []string{"Range", byteRange(offset, length)})
	if err == nil && d.whole {
		d.body = &skipping{d.body, offset}
		d.Size = max(d.Size-offset, min(d.Size, 0))
	}
	if err == nil && length >= 0 {
		d.body = &limited{d.body, length}
		d.Size = min(d.Size, length)
	}
	return d, err
}

// byteRange is the header for a range. HTTP has no empty one: for that, one
// byte is asked for, and not read.
func byteRange(offset, length int64) string {
	if length < 0 {
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return fmt.Sprintf("bytes=%d-%d", offset, offset+max(length, 1)-1)
}

// ReadArchive opens a tar stream of the file or directory at path. Its names
// begin with the path's last element.
func (c *Client) ReadArchive(ctx context.Context, path, user string) (*Download, error) {
	return c.open(ctx, agentapi.PathArchive, []string{"path", path, "username", user}, nil)
}

func (c *Client) open(ctx context.Context, path string, query, headers []string) (*Download, error) {
	dog := newWatchdog(ctx)
	req := newRequest(dog.ctx, http.MethodGet, path, query, headers)
	wanted := []int{http.StatusOK}
	if headers != nil {
		wanted = append(wanted, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable)
	}
	res, err := c.do(req, wanted...)
	if err != nil {
		err = dog.explain(err)
		dog.end()
		return nil, err
	}
	dog.pause()
	d := &Download{Size: res.ContentLength, dog: dog, body: res.Body}
	switch res.StatusCode {
	case http.StatusOK:
		// An empty file has no ranges, nor has one in /proc, which has no size.
		d.whole = headers != nil
	case http.StatusRequestedRangeNotSatisfiable:
		_ = res.Body.Close()
		d.Size, d.body = 0, http.NoBody
	case http.StatusPartialContent:
		if err := checkRange(res.Header.Get("Content-Range"), headers[1]); err != nil {
			_ = d.Close()
			return nil, err
		}
	}
	return d, nil
}

// checkRange makes sure that the range that came begins where the one that
// was asked for does.
func checkRange(got, asked string) error {
	begin, _, ok := strings.Cut(strings.TrimPrefix(asked, "bytes="), "-")
	if !ok || !strings.HasPrefix(got, "bytes "+begin+"-") {
		return garbage("asked for %s, got %.80q", asked, got)
	}
	return nil
}

// Read implements io.Reader.
func (d *Download) Read(p []byte) (int, error) {
	d.dog.resume()
	n, err := d.body.Read(p)
	d.dog.pause()
	if err != nil && err != io.EOF { //nolint:errorlint // only the plain one is the end
		err = d.dog.explain(err)
	}
	return n, err
}

// Close ends the transfer.
func (d *Download) Close() error {
	d.dog.end()
	return d.body.Close()
}

// skipping drops the beginning of a body.
type skipping struct {
	io.ReadCloser
	left int64
}

func (s *skipping) Read(p []byte) (int, error) {
	for s.left > 0 && len(p) > 0 {
		n, err := s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
		s.left -= int64(n)
		if err != nil {
			return 0, err
		}
	}
	return s.ReadCloser.Read(p)
}

// limited ends a body that an agent makes longer than was asked for.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, io.EOF
	}
	n, err := l.ReadCloser.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
