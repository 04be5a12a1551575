// Package files is the HTTP endpoint /files: contents of files up and down,
// streamed, of any size.
package files

import (
	"net/http"

	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agent/identity"
)

// Service serves /files and /files/compose.
type Service struct {
	users *identity.Directory
}

// New returns a Service.
func New(users *identity.Directory) *Service { return &Service{users: users} }

// target returns who calls and what path the query means.
func (s *Service) target(r *http.Request) (identity.User, string, error) {
	q := r.URL.Query()
	u, err := s.users.Lookup(q.Get("username"))
	if err != nil {
		return u, "", err
	}
	path, err := u.Path(q.Get("path"))
	if err != nil {
		return u, "", httperr.BadRequest(err)
	}
	return u, path, nil
}
