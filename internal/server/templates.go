package server

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/quixand/quixand/internal/envd"
	"github.com/quixand/quixand/pkg/quixand"
)

// templates lists the templates that the caller may use.
func (s *Server) templates(c *call) error {
	all, err := s.cfg.Client.Templates().List(c)
	if err != nil {
		return err
	}
	host := hostSize()
	answer := []template{}
	for _, t := range all {
		if !t.Current || !c.key.Limits.Allows(t.Name) {
			continue
		}
		answer = append(answer, template{
			TemplateID: t.Name, BuildID: t.Hash, BuildStatus: "ready", BuildCount: 1,
			Names: []string{t.Name}, Aliases: []string{t.Name}, Public: true,
			CPUCount: host.cpus, MemoryMB: host.memory >> 20, DiskSizeMB: host.disk >> 20,
			EnvdVersion: envd.Version, CreatedAt: t.Created, UpdatedAt: t.Created,
		})
	}
	return c.answer(http.StatusOK, answer)
}

// alias tells whether there is a template of a name.
func (s *Server) alias(c *call) error {
	if c.request.PathValue("first") != "aliases" { // {id}/tags, which no pattern can tell from this
		return refuseHosted(c)
	}
	name := c.request.PathValue("second")
	t, err := s.cfg.Client.Templates().Get(c, name)
	switch {
	case err == nil:
		name = t.Name
	case !slices.Contains(ownTemplates, name):
		return &quixand.Error{Kind: quixand.ErrNotFound, Err: fmt.Errorf("there is no template %q", name)}
	}
	return c.answer(http.StatusOK, map[string]any{"templateID": name, "public": true})
}
