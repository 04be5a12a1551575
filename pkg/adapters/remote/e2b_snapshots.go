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
	listed, err := listAll[*e2bSnapshot](ctx, e, "/snapshots", url.Values{"limit": {"100"}})
	all := make([]*adapters.Snapshot, len(listed))
	for i, s := range listed {
		all[i] = e.knownSnapshot(s)
	}
	return all, err
}

func (e *e2b) removeSnapshot(ctx context.Context, name string) error {
	return e.simple(ctx, http.MethodDelete, "/templates/"+url.PathEscape(name), nil, nil, true)
}
