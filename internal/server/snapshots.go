package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/quixand"
)

func (s *Server) snapshot(c *call, x *box) error {
	req := struct {
		Name string `json:"name"`
	}{}
	if err := c.read(&req); err != nil {
		return err
	}
	if req.Name == "" {
		req.Name = strings.ToLower(rand.Text())[:20]
	}
	name := c.engineName(req.Name)
	ctx, end, err := s.pending.begin(c, serverapi.SnapshotPrefix+name)
	if err != nil {
		return err
	}
	defer end()
	if _, err := s.cfg.Client.Snapshot(ctx, x.id, name); err != nil {
		return err
	}
	return c.answer(http.StatusCreated, newSnapshotInfo(req.Name))
}

func newSnapshotInfo(name string) snapshotInfo {
	return snapshotInfo{SnapshotID: serverapi.SnapshotPrefix + name, Names: []string{name}}
}

// ownSnapshots are the snapshots of the caller's sandboxes, newest first, by the
// caller's names. Whose they are is in their metadata, too, which a snapshot
// takes over: a name alone is anybody's.
func (s *Server) ownSnapshots(c *call) ([]*quixand.Snapshot, error) {
	all, err := s.cfg.Client.Snapshots(c)
	var own []*quixand.Snapshot
	for _, snap := range all {
		r, _ := recordOf(&quixand.Info{Metadata: snap.Metadata})
		name, ok := c.givenName(snap.Name)
		if ok && r.Key == c.key.ID && c.sees(r) {
			named := *snap
			named.Name = name
			own = append(own, &named)
		}
	}
	return own, err
}

// ownSnapshot makes sure that a snapshot is the caller's.
func (s *Server) ownSnapshot(c *call, name string) error {
	own, err := s.ownSnapshots(c)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(own, func(snap *quixand.Snapshot) bool { return snap.Name == name }) {
		return &quixand.Error{Kind: quixand.ErrNotFound, Err: fmt.Errorf("there is no snapshot %q", name)}
	}
	return nil
}

// snapshots lists the caller's. A page's token is the name of its last.
func (s *Server) snapshots(c *call) error {
	q := c.request.URL.Query()
	limit, err := number(q.Get("limit"), pageSize)
	if err != nil || limit < 1 {
		return badRequest("limit is not a number from 1 on")
	}
	own, err := s.ownSnapshots(c)
	if err != nil {
		return err
	}
	if token := q.Get("nextToken"); token != "" {
		at := slices.IndexFunc(own, func(snap *quixand.Snapshot) bool { return snap.Name == token })
		own = own[at+1:]
	}
	answer := []snapshotInfo{}
	for _, snap := range own {
		if q.Has("sandboxID") && q.Get("sandboxID") != snap.Sandbox || q.Has("name") && q.Get("name") != snap.Name {
			continue
		}
		if int64(len(answer)) == min(limit, pageSize) {
			c.w.Header().Set(serverapi.HeaderNext, answer[len(answer)-1].Names[0])
			break
		}
		answer = append(answer, newSnapshotInfo(snap.Name))
	}
	return c.answer(http.StatusOK, answer)
}

// maxForks is how many forks one call can make.
const maxForks = 16

// fork makes copies of a sandbox's file system, each a sandbox.
func (s *Server) fork(c *call, x *box) error {
	req := struct {
		Count   int    `json:"count"`
		Timeout *int64 `json:"timeout"`
	}{Count: 1}
	if err := c.read(&req); err != nil {
		return err
	}
	if req.Count < 1 || req.Count > maxForks {
		return badRequest(fmt.Sprintf("%d is not a number of forks from 1 to %d", req.Count, maxForks))
	}
	timeout, err := c.timeout(req.Timeout, timeoutV2)
	if err != nil {
		return err
	}
	opts := quixand.Options{FixedTimeout: true, Timeout: timeout}
	release, err := s.boxes.reserve(c.key, req.Count)
	if err != nil {
		return err
	}
	defer release()
	type result struct {
		Sandbox *sandboxAnswer `json:"sandbox,omitempty"`
		Error   any            `json:"error,omitempty"`
	}
	results := make([]result, req.Count)
	for i := range results {
		sb, err := s.launch(c, c, &opts, func(ctx context.Context) (*quixand.Sandbox, error) { return s.cfg.Client.Fork(ctx, x.id, &opts) })
		if err != nil {
			results[i].Error = map[string]any{"code": statusOf(err), "message": textOf(err)}
			continue
		}
		answer := s.sandboxAnswer(s.boxes.add(sb.ID(), x.record))
		results[i].Sandbox = &answer
	}
	return c.answer(http.StatusCreated, results)
}
