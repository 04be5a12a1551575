package server

import (
	"fmt"
	"net/http"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/internal/version"
	"github.com/quixand/quixand/pkg/quixand"
)

// ownRoutes is what the server answers beside E2B's API, for the library and for
// qs: see package serverapi.
func (s *Server) ownRoutes() map[string]func(*call) error {
	return map[string]func(*call) error{
		"GET " + serverapi.PathHello:      s.hello,
		"GET " + serverapi.PathSandboxes:  s.ownList,
		"POST " + serverapi.PathSandboxes: s.ownCreate,
		"GET " + serverapi.PathSandbox:    s.onBox(s.ownDescribe),
		"POST " + serverapi.PathTimeout:   s.onBox(s.ownTimeout),
		"POST " + serverapi.PathResume:    s.onBox(s.ownResume),
		"POST " + serverapi.PathName:      s.onBox(s.ownRename),
		"GET " + serverapi.PathEnded:      s.ended,
		"GET " + serverapi.PathAllEnded:   s.allEnded,
		"GET " + serverapi.PathEvents:     s.events,
		"GET " + serverapi.PathSnapshots:  s.ownSnapshotList,
	}
}

func (s *Server) hello(c *call) error {
	return c.answer(http.StatusOK, serverapi.Hello{Version: version.String(), Image: s.cfg.Client.Image()})
}

// told is a sandbox as its client knows it.
func (s *Server) told(c *call, x *box, info *quixand.Info) *serverapi.Sandbox {
	told := &serverapi.Sandbox{
		Info: *info, AccessToken: x.agentToken(s.cfg.Secret, x.id), TrafficToken: x.trafficToken(s.cfg.Secret, x.id),
	}
	within := *c
	within.root = &x.Root // a list may be of all spaces
	told.Name, _ = within.givenName(info.Name)
	told.Snapshot, _ = within.givenName(info.Snapshot)
	told.Metadata = usersMetadata(info.Metadata)
	told.Root, told.Startup, told.Adapter = x.Root, nil, ""
	return told
}

func (s *Server) ownList(c *call) error {
	infos, err := s.cfg.Client.List(c, nil)
	if err != nil {
		return err
	}
	answer := []*serverapi.Sandbox{}
	for _, info := range infos {
		if r, ok := recordOf(info); ok && r.Key == c.key.ID && c.sees(r) {
			answer = append(answer, s.told(c, &box{record: r, id: info.ID}, info))
		}
	}
	return c.answer(http.StatusOK, answer)
}

func (s *Server) ownDescribe(c *call, x *box) error {
	info, err := s.boxes.look(c, x)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, s.told(c, x, info))
}

func (s *Server) ownTimeout(c *call, x *box) error {
	var req serverapi.TimeoutRequest
	if err := c.read(&req); err != nil {
		return err
	}
	if err := c.mayGive(req.IdleTimeout); err != nil {
		return err
	}
	sb, err := x.sandbox.Get(c)
	if err != nil {
		return err
	}
	if err := sb.RefreshTimeout(c, req.IdleTimeout); err != nil {
		return err
	}
	return c.answer(http.StatusNoContent, nil)
}

// mayGive refuses a timeout that is longer than the caller's key may give.
func (c *call) mayGive(timeout time.Duration) error {
	if most := c.key.Limits.Timeout; most > 0 && (timeout < 0 || timeout > most) {
		return badRequest(fmt.Sprintf("a timeout of %v is longer than this key may give, %v", timeout, most))
	}
	return nil
}

func (s *Server) ownResume(c *call, x *box) error {
	if err := s.boxes.thaw(c, x); err != nil {
		return err
	}
	return c.answer(http.StatusNoContent, nil)
}

// ownRename gives a sandbox a name among those of its key and space.
func (s *Server) ownRename(c *call, x *box) error {
	var req serverapi.NameRequest
	if err := c.read(&req); err != nil {
		return err
	}
	var name string
	var err error
	if req.Name != "" {
		if name, err = s.freeName(c, req.Name); err != nil {
			return err
		}
	}
	if err := s.cfg.Client.Rename(c, x.id, name); err != nil {
		return err
	}
	return c.answer(http.StatusNoContent, nil)
}

// freeName is the library's name for one that is to be given. That of another
// sandbox the library itself refuses, but not another sandbox's id.
func (s *Server) freeName(c *call, name string) (string, error) {
	if _, err := s.ownBox(c, name); err == nil {
		return "", &quixand.Error{Kind: quixand.ErrExists, Err: fmt.Errorf("%s is the id of a sandbox", name)}
	}
	return c.engineName(name), nil
}

func (s *Server) ownSnapshotList(c *call) error {
	own, err := s.ownSnapshots(c)
	if err != nil {
		return err
	}
	answer := []*quixand.Snapshot{}
	for _, snap := range own {
		r, _ := recordOf(&quixand.Info{Metadata: snap.Metadata})
		told := *snap
		told.Metadata, told.Root, told.Startup = usersMetadata(snap.Metadata), r.Root, nil
		answer = append(answer, &told)
	}
	return c.answer(http.StatusOK, answer)
}
