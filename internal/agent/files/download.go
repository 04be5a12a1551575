package files

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agent/ownfs"
)

// Download answers GET and HEAD.
func (s *Service) Download(w http.ResponseWriter, r *http.Request) {
	_, path, err := s.target(r)
	if err != nil {
		httperr.WriteErr(w, err)
		return
	}
	f, info, err := ownfs.Open(path)
	if errors.Is(err, unix.ENOTDIR) {
		err = fmt.Errorf("%w: %s", fs.ErrNotExist, path) // a path through a file
	}
	if err != nil {
		httperr.WriteErr(w, err)
		return
	}
	defer f.Close()
	encoding, ok := contentEncoding(r.Header)
	if !ok {
		httperr.Write(w, http.StatusNotAcceptable, "this file comes as it is or in gzip, and neither is accepted")
		return
	}
	h := w.Header()
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": filepath.Base(path)}))
	h.Set("Vary", "Accept-Encoding")
	switch {
	case encoding == "gzip" && r.Header.Get("Range") == "":
		sendGzip(w, r, f, path)
	case hasNoSize(f, info):
		sendUnsized(w, r, f, path)
	default:
		h.Set("Etag", etag(info))
		http.ServeContent(w, r, path, info.ModTime(), f)
	}
}

// contentEncoding is identity wherever possible: a client's library may ask
// for gzip by itself and unpack it slower than the file travels. Gzip is for
// those who ask for nothing else.
func contentEncoding(h http.Header) (encoding string, ok bool) {
	accept := strings.Join(h.Values("Accept-Encoding"), ",")
	if strings.TrimSpace(accept) == "gzip" {
		return "gzip", true
	}
	q := qualities(accept)
	identity, named := q["identity"]
	if !named {
		identity = 1
		if others, ok := q["*"]; ok {
			identity = others
		}
	}
	if identity > 0 {
		return "", true
	}
	gzip, named := q["gzip"]
	if !named {
		gzip = q["*"]
	}
	return "gzip", gzip > 0
}

// qualities parses an Accept-Encoding header.
func qualities(accept string) map[string]float64 {
	q := make(map[string]float64)
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(item, ";")
		weight := 1.0
		if v, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			weight, _ = strconv.ParseFloat(v, 64)
		}
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			q[name] = weight
		}
	}
	return q
}

// etag changes whenever the file does, so that an interrupted download can be
// resumed.
func etag(info fs.FileInfo) string {
	return fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())
}

// hasNoSize reports whether the size of a file says nothing about its
// contents, as is so in /proc and /sys.
func hasNoSize(f *os.File, info fs.FileInfo) bool {
	if info.Size() > 1<<20 {
		return false
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC:
		return true
	}
	return false
}

func setType(w http.ResponseWriter, path string) {
	t := mime.TypeByExtension(filepath.Ext(path))
	if t == "" {
		t = "application/octet-stream"
	}
	w.Header().Set("Content-Type", t)
}

func sendUnsized(w http.ResponseWriter, r *http.Request, f *os.File, path string) {
	setType(w, path)
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, f)
	}
}

func sendGzip(w http.ResponseWriter, r *http.Request, f *os.File, path string) {
	setType(w, path)
	w.Header().Set("Content-Encoding", "gzip")
	if r.Method == http.MethodHead {
		return
	}
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if _, err := io.Copy(z, f); err != nil {
		panic(http.ErrAbortHandler) // the status is sent: only a broken body tells
	}
	_ = z.Close()
}
