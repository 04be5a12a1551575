package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/internal/serverapi"
)

// maxBody bounds a request of the control plane, in bytes.
const maxBody = 1 << 20

// call is one request of the control plane by a client that may make it.
type call struct {
	context.Context
	key     apikeys.Key
	root    *string // the space in which the caller looks; nil: all that is its key's
	request *http.Request
	w       *exchange
}

func (s *Server) handler(h func(*call) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := s.cfg.Keys.Find(r.Header.Get(serverapi.HeaderKey))
		if err != nil {
			s.refuseKey(w, err)
			return
		}
		x := w.(*exchange)
		x.key = key.ID
		if wait, ok := s.rates.allow(key); !ok {
			w.Header().Set("Retry-After", wait)
			s.meters.limited.Inc()
			writeError(w, http.StatusTooManyRequests, "this key has made too many calls")
			return
		}
		root, err := rootOf(r)
		if err == nil {
			err = h(&call{r.Context(), key, root, r, x})
		}
		if err != nil {
			s.cfg.Log.Debug("a call failed", "route", s.routeOf(r), "error", err)
			// What the server itself refuses is told as it is: the context ends when a
			// body comes too late, too.
			if _, refused := errors.AsType[refusal](err); !refused && r.Context().Err() != nil {
				// Who has only closed their end of the connection still reads.
				writeError(w, statusGone, "the client has closed the connection")
				return
			}
			writeFailure(w, err)
		}
	})
}

func (s *Server) refuseKey(w http.ResponseWriter, err error) {
	if errors.Is(err, apikeys.ErrUnknown) {
		deny(w)
		writeError(w, http.StatusUnauthorized, "the API key is missing or wrong")
		return
	}
	s.cfg.Log.Error("the API keys cannot be read", "error", err)
	writeError(w, http.StatusServiceUnavailable, "the API keys cannot be read")
}

// read reads the request's body; an empty one leaves v as it is.
func (c *call) read(v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.request.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", maxBody)}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refusal{http.StatusRequestTimeout, "the body did not come"}
	}
	if err != nil {
		return refusal{http.StatusBadRequest, "the body cannot be read: " + err.Error()}
	}
	mayArriveLate(c.w)
	if strings.TrimSpace(string(body)) == "" {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return refusal{http.StatusBadRequest, "the body is not what is expected: " + err.Error()}
	}
	return nil
}

// answer writes a result, and nothing at all for 204.
func (c *call) answer(status int, v any) error {
	if status == http.StatusNoContent {
		c.w.WriteHeader(status)
		return nil
	}
	writeJSON(c.w, status, v)
	return nil
}

// onBox makes a handler of what is done to the caller's sandbox that the path names.
func (s *Server) onBox(do func(*call, *box) error) func(*call) error {
	return func(c *call) error {
		x, err := s.box(c)
		if err != nil {
			return err
		}
		return do(c, x)
	}
}

// box is the caller's sandbox that the path names.
func (s *Server) box(c *call) (*box, error) {
	id := c.request.PathValue("id")
	x, err := s.ownBox(c, id)
	if s.boxes.lookUp(id) != nil { // another's, too; what is no sandbox's id may be a secret
		c.w.sandbox = id
	}
	return x, err
}

// ownBox is a sandbox of the caller's.
func (s *Server) ownBox(c *call, id string) (*box, error) {
	x, err := s.boxes.owned(c, c.key.ID, id)
	if err == nil && !c.sees(x.record) {
		return nil, errNoBox
	}
	return x, err
}
