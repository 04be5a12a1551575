package remote

import (
	"context"
	"net/http"
	"net/url"

	"github.com/quixand/quixand/pkg/adapters"
)

// e2bSnapshot is what E2B tells of a snapshot, whose id is used as a template's.
type e2bSnapshot struct {
	SnapshotID string   `json:"snapshotID"`
	Names      []string `json:"names"`
}

// known calls a snapshot by its id: that is what Create takes.
func (e *e2b) knownSnapshot(s *e2bSnapshot) *adapters.Snapshot {
	return &adapters.Snapshot{Name: s.SnapshotID, Image: s.SnapshotID, Workdir: e2bHome, Root: e.root}
}

func (e *e2b) snapshot(ctx context.Context, id, name string) (*adapters.Snapshot, error) {
	var made e2bSnapshot
	r := &request{method: http.MethodPost, path: sandboxPath(id, "/snapshots"), body: map[string]string{"name": name}}
	if err := e.call(ctx, r, &made); err != nil {
		return nil, err
	}
	s := e.knownSnapshot(&made)
	s.Sandbox = id
	return s, nil
}

func (e *e2b) snapshots(ctx context.Context) ([]*adapters.Snapshot, error) {
	var all []*adapters.Snapshot
	query := url.Values{"limit": {"100"}}
	for range maxPages {
		var some []*e2bSnapshot
		header, err := e.callHeader(ctx, &request{method: http.MethodGet, path: "/snapshots", query: query, repeat: true}, &some)
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			all = append(all, e.knownSnapshot(s))
		}
		next := header.Get("X-Next-Token")
		if next == "" {
			return all, nil
		}
		query.Set("nextToken", next)
	}
	return nil, garbage("a list of more than %d pages", maxPages)
}

func (e *e2b) removeSnapshot(ctx context.Context, name string) error {
	return e.simple(ctx, http.MethodDelete, "/templates/"+url.PathEscape(name), nil, nil, true)
}
