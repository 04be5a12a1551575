package files

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/httperr"
)

// metadata is what a caller attaches to a file. It lives in extended
// attributes, where package filesystem finds it.
type metadata map[string]string

const (
	headerPrefix    = "X-Metadata-"
	attributePrefix = "user.e2b."

	maxKey      = 246  // what Linux leaves of a name after the prefix
	maxMetadata = 4096 // keys with prefixes, and values
)

// metadataFrom reads a request's metadata headers.
func metadataFrom(h http.Header) (metadata, error) {
	var m metadata
	total := 0
	for name, values := range h {
		key, ok := strings.CutPrefix(name, headerPrefix)
		if !ok {
			continue
		}
		key, value := strings.ToLower(key), values[0]
		total += len(attributePrefix) + len(key) + len(value)
		if key == "" || len(key) > maxKey || !printable(key) || !printable(value) || total > maxMetadata {
			return nil, httperr.BadRequest(fmt.Errorf("metadata %q: keys and values are printable ASCII, keys have 1 to %d bytes, all together %d", key, maxKey, maxMetadata))
		}
		if m == nil {
			m = make(metadata)
		}
		m[key] = value
	}
	return m, nil
}

func printable(s string) bool {
	for _, b := range []byte(s) {
		if b < 0x20 || b > 0x7e {
			return false
		}
	}
	return true
}

// store makes m the whole metadata of a file and returns what was stored:
// nothing where the file system has no place for it.
func (m metadata) store(f *os.File) (metadata, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var storeErr error
	if err := conn.Control(func(fd uintptr) { storeErr = m.storeFD(int(fd)) }); err != nil {
		return nil, err
	}
	if errors.Is(storeErr, unix.ENOTSUP) {
		return nil, nil
	}
	return m, storeErr
}

func (m metadata) storeFD(fd int) error {
	var names [8 << 10]byte
	n, err := unix.Flistxattr(fd, names[:])
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		key, ours := strings.CutPrefix(name, attributePrefix)
		if _, stays := m[key]; ours && !stays {
			if err := unix.Fremovexattr(fd, name); err != nil {
				return err
			}
		}
	}
	for key, value := range m {
		if err := unix.Fsetxattr(fd, attributePrefix+key, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}
