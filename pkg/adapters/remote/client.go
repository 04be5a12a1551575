package remote

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// client is whose calls a dialect makes, and what both have in common.
type client struct {
	*server
	root  string
	space string // of the root, by which the key's sandboxes are kept apart
}

// spaceOf is the root's name on the server. The default one has none, so that a
// key's sandboxes are the same from all its owner's machines.
func spaceOf(root string) string {
	if home, err := os.UserHomeDir(); err == nil && root == filepath.Join(home, ".quixand") {
		return ""
	}
	return root
}

func sandboxPath(id, rest string) string { return "/sandboxes/" + url.PathEscape(id) + rest }

// simple makes a call that has neither query nor answer.
func (c *client) simple(ctx context.Context, method, path string, header http.Header, body any, repeat bool) error {
	return c.call(ctx, &request{method: method, path: path, header: header, body: body, repeat: repeat}, nil)
}

// measure asks for the metrics of E2B's API.
func (c *client) measure(ctx context.Context, id string, header http.Header) (*adapters.Stats, error) {
	var samples []struct {
		MemUsed  int64 `json:"memUsed"`
		DiskUsed int64 `json:"diskUsed"`
	}
	r := &request{method: http.MethodGet, path: sandboxPath(id, "/metrics"), header: header, repeat: true}
	if err := c.call(ctx, r, &samples); err != nil {
		return nil, err
	}
	if len(samples) == 0 {
		return &adapters.Stats{MemoryBytes: -1, DiskBytes: -1}, nil
	}
	last := samples[len(samples)-1]
	return &adapters.Stats{MemoryBytes: last.MemUsed, DiskBytes: last.DiskUsed}, nil
}

// header names the space that a call is about.
func (c *client) header() http.Header {
	h := make(http.Header, 2)
	h.Set(serverapi.HeaderRoot, url.QueryEscape(c.space))
	return h
}

// killAgain kills a sandbox, and does not mind that an attempt whose answer was lost
// has done so.
func (c *client) killAgain(ctx context.Context, id string, header http.Header) error {
	err := c.simple(ctx, http.MethodDelete, sandboxPath(id, ""), header, nil, false)
	if !errors.Is(err, errBroken) {
		return err
	}
	err = c.simple(ctx, http.MethodDelete, sandboxPath(id, ""), header, nil, true)
	if errors.Is(err, adapters.ErrNotFound) {
		return nil
	}
	return err
}
