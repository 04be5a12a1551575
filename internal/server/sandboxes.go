package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/quixand/quixand/internal/envd"
	"github.com/quixand/quixand/pkg/quixand"
)

func (s *Server) kill(c *call) error {
	if err := s.pending.abort(c, c.creation(c.request.PathValue("id"))); err != nil {
		return err
	}
	x, err := s.box(c)
	if err != nil {
		return err
	}
	if by := c.by(); by != "" {
		err = s.cfg.Client.KillBy(c, x.id, by)
	} else {
		err = s.cfg.Client.Kill(c, x.id)
	}
	if err != nil {
		return err
	}
	s.boxes.drop(x.id)
	return c.answer(http.StatusNoContent, nil)
}

// connect makes sure that a sandbox runs, for no less than a while from now.
func (s *Server) connect(c *call, x *box) error {
	req := struct {
		Timeout *int64 `json:"timeout"`
		Memory  *bool  `json:"memory"`
	}{}
	if err := c.read(&req); err != nil {
		return err
	}
	if req.Memory != nil && !*req.Memory {
		return errReboot
	}
	timeout, err := c.timeout(req.Timeout, timeoutV2)
	if err != nil {
		return err
	}
	resumed, err := s.wake(c, x, timeout)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if resumed {
		status = http.StatusCreated
	}
	return c.answer(status, s.sandboxAnswer(x))
}

var errReboot = &quixand.Error{Kind: quixand.ErrUnsupported, Err: errors.New("a sandbox keeps its memory while it is paused: it cannot be rebooted")}

// wake resumes a paused sandbox with a timeout, and gives a running one no
// shorter timeout than it has.
func (s *Server) wake(ctx context.Context, x *box, timeout time.Duration) (resumed bool, err error) {
	if _, err := s.boxes.look(ctx, x); err != nil {
		return false, err
	}
	if resumed = x.gate.isClosed(); resumed {
		if err := s.boxes.resume(ctx, x); err != nil {
			return false, err
		}
	}
	sb, err := x.sandbox.Get(ctx)
	if err != nil {
		return false, err
	}
	if !resumed {
		status, err := sb.Status(ctx)
		if err != nil {
			return false, err
		}
		if time.Until(status.Deadline) >= timeout {
			return false, nil
		}
	}
	return resumed, sb.RefreshTimeout(ctx, timeout)
}

func (s *Server) setTimeout(c *call, x *box) error {
	req := struct {
		Timeout int64 `json:"timeout"`
	}{}
	if err := c.read(&req); err != nil {
		return err
	}
	timeout, err := c.timeout(&req.Timeout, 0)
	if err != nil {
		return err
	}
	if x.gate.isClosed() {
		return errPaused
	}
	sb, err := x.sandbox.Get(c)
	if err != nil {
		return err
	}
	if err := sb.RefreshTimeout(c, timeout); err != nil {
		return err
	}
	return c.answer(http.StatusNoContent, nil)
}

// refresh is setTimeout that never shortens, as old clients know it.
func (s *Server) refresh(c *call, x *box) error {
	req := struct {
		Duration *int64 `json:"duration"`
	}{}
	if err := c.read(&req); err != nil {
		return err
	}
	timeout, err := c.timeout(req.Duration, timeoutV1)
	if err != nil {
		return err
	}
	if _, err := s.wake(c, x, timeout); err != nil {
		return err
	}
	return c.answer(http.StatusNoContent, nil)
}

func (s *Server) pause(c *call, x *box) error {
	req := struct {
		Memory *bool `json:"memory"`
	}{}
	if err := c.read(&req); err != nil {
		return err
	}
	if req.Memory != nil && !*req.Memory {
		return errReboot
	}
	if err := s.boxes.pause(c, x); err != nil {
		return err
	}
	return c.answer(http.StatusNoContent, nil)
}

// describe tells of one sandbox all that there is to know.
func (s *Server) describe(c *call, x *box) error {
	info, err := s.boxes.look(c, x)
	if err != nil {
		return err
	}
	d := s.detail(c, x, info)
	answer := s.sandboxAnswer(x)
	d.Domain, d.AccessToken = answer.Domain, answer.AccessToken
	internet := info.Network != quixand.NetworkNone
	d.AllowInternet = &internet
	d.Lifecycle = &lifecycle{OnTimeout: string(info.OnTimeout), AutoResume: x.AutoResume}
	return c.answer(http.StatusOK, d)
}

// patience bounds the question to a sandbox when it ends: it may be hostile, and
// others wait for the list.
const patience = time.Second

// detail is what lists tell.
func (s *Server) detail(ctx context.Context, x *box, info *quixand.Info) sandboxDetail {
	host := hostSize()
	d := sandboxDetail{
		SandboxID: x.id, TemplateID: x.Template, ClientID: clientID, EnvdVersion: envd.Version,
		StartedAt: info.Created, EndAt: info.Created.Add(info.IdleTimeout),
		CPUCount: host.cpus, MemoryMB: host.memory >> 20, DiskSizeMB: host.disk >> 20,
		Metadata: usersMetadata(info.Metadata), State: "running",
	}
	if n := info.Resources.CPUs; n > 0 {
		d.CPUCount = max(1, int(n))
	}
	if n := info.Resources.MemoryBytes; n > 0 {
		d.MemoryMB = n >> 20
	}
	if info.State == quixand.StatePaused {
		d.State = "paused"
		return d
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if sb, err := x.sandbox.Get(ctx); err == nil {
		if status, err := sb.Status(ctx); err == nil && !status.Deadline.IsZero() {
			d.EndAt = status.Deadline
		}
	}
	return d
}
