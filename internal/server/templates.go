package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/quixand/quixand/internal/envd"
	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/quixand"
)

// template finds a template of the host's or of the caller's. Those of other keys
// do not exist for it.
func (s *Server) template(c *call, name string) (*quixand.Template, error) {
	t, err := s.cfg.Client.Templates().Get(c, name)
	switch {
	case err == nil && mine(c, t):
		return t, nil
	case err == nil, errors.Is(err, quixand.ErrNotFound), errors.Is(err, quixand.ErrInvalid), errors.Is(err, quixand.ErrUnsupported):
		return nil, &quixand.Error{Kind: quixand.ErrNotFound, Err: fmt.Errorf("there is no template %q", name)}
	}
	return nil, err
}

func mine(c *call, t *quixand.Template) bool {
	owner := t.Labels[buildLabel]
	return owner == "" || owner == c.key.ID
}

// templates lists the templates that the caller may use.
func (s *Server) templates(c *call) error {
	all, err := s.cfg.Client.Templates().List(c)
	if err != nil {
		return err
	}
	host := hostSize()
	answer := []template{}
	add := func(t *quixand.Template, state buildState) {
		if !mine(c, t) || !c.key.Limits.Allows(t.Name) {
			return
		}
		answer = append(answer, template{
			TemplateID: t.Name, BuildID: t.Hash, BuildStatus: state, BuildCount: 1,
			Names: []string{t.Name}, Aliases: []string{t.Name}, Public: t.Labels[buildLabel] == "",
			CPUCount: host.cpus, MemoryMB: host.memory >> 20, DiskSizeMB: host.disk >> 20,
			EnvdVersion: envd.Version, CreatedAt: t.Created, UpdatedAt: t.Created,
		})
	}
	lacking := s.stock.all()
	for _, t := range all {
		if t.Current {
			add(t, buildReady)
			delete(lacking, t.Name)
		}
	}
	for name, state := range lacking {
		add(&quixand.Template{Name: name, Created: s.began}, state)
	}
	return c.answer(http.StatusOK, answer)
}

// alias tells whether there is a template of a name.
func (s *Server) alias(c *call) error {
	if c.request.PathValue("first") != "aliases" { // {id}/tags, which no pattern can tell from this
		return refuseHosted(c)
	}
	name := c.request.PathValue("second")
	t, err := s.template(c, name)
	switch {
	case err == nil:
		name = t.Name
	case !errors.Is(err, quixand.ErrNotFound) || !slices.Contains(ownTemplates, name):
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"templateID": name, "public": true})
}

// deleteTemplate removes a template of the caller's, or a snapshot. Those of the
// host are not for clients to remove.
func (s *Server) deleteTemplate(c *call) error {
	name := c.request.PathValue("id")
	if snapshot, ok := strings.CutPrefix(name, serverapi.SnapshotPrefix); ok {
		return s.deleteSnapshot(c, snapshot)
	}
	t, err := s.template(c, name)
	if err != nil {
		return err
	}
	if t.Labels[buildLabel] != c.key.ID {
		return &quixand.Error{Kind: quixand.ErrPermission, Err: fmt.Errorf("the template %s is the host's", name)}
	}
	if err := s.cfg.Client.Templates().Remove(c, t.Name, false); err != nil {
		return err
	}
	return c.answer(http.StatusNoContent, nil)
}

func (s *Server) deleteSnapshot(c *call, name string) error {
	if err := s.pending.abort(c, serverapi.SnapshotPrefix+c.engineName(name)); err != nil {
		return err
	}
	if err := s.ownSnapshot(c, name); err != nil {
		return err
	}
	if err := s.cfg.Client.RemoveSnapshot(c, c.engineName(name)); err != nil {
		return err
	}
	return c.answer(http.StatusNoContent, nil)
}
