package server

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/quixand/quixand/internal/serverapi"
)

// maxRoot bounds the name of a client's root, in bytes.
const maxRoot = 1 << 10

// rootOf reads in which of its key's spaces a caller looks.
func rootOf(r *http.Request) (*string, error) {
	text, ok := r.Header[http.CanonicalHeaderKey(serverapi.HeaderRoot)]
	if !ok {
		return nil, nil
	}
	root, err := url.QueryUnescape(text[0])
	if err != nil || len(root) > maxRoot || strings.ContainsFunc(root, unicode.IsControl) {
		return nil, badRequest("header " + serverapi.HeaderRoot + " is not the name of a root")
	}
	return &root, nil
}

// sees reports whether a sandbox of the caller's key is in the space in which the
// caller looks.
func (c *call) sees(r record) bool { return c.root == nil || *c.root == r.Root }

func (c *call) space() string {
	if c.root == nil {
		return ""
	}
	return *c.root
}

// engineName is the library's name for a sandbox or a snapshot of the caller's. Each
// key has names of its own: one that is taken tells nothing of others.
func (c *call) engineName(given string) string { return c.namePrefix() + given }

// givenName is the caller's name again.
func (c *call) givenName(name string) (given string, ok bool) {
	return strings.CutPrefix(name, c.namePrefix())
}

func (c *call) namePrefix() string {
	if c.space() == "" {
		return c.key.ID + "-"
	}
	sum := sha256.Sum256([]byte(c.space()))
	return c.key.ID + "_" + hex.EncodeToString(sum[:3]) + "-"
}

// by is who kills, in printable words.
func (c *call) by() string {
	text, err := url.QueryUnescape(c.request.Header.Get(serverapi.HeaderBy))
	if err != nil || len(text) > serverapi.MaxBy {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}
