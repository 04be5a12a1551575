// Package archive moves whole directories in one request, as a tar stream:
// ten thousand small files cost one round trip.
//
// Both directions work below one directory that is opened once, so that no
// link, whoever planted it and when, leads them anywhere else.
package archive

import (
	"net/http"

	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agent/identity"
)

// bufferSize makes many small entries one system call.
const bufferSize = 256 << 10

// Service serves [agentapi.PathArchive].
type Service struct {
	users *identity.Directory
}

// New returns a Service.
func New(users *identity.Directory) *Service { return &Service{users: users} }

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
