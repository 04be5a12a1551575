package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// refusal is an error that the server itself has found in a request.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

func badRequest(text string) error { return refusal{http.StatusBadRequest, text} }

func statusOf(err error) int {
	if r, ok := errors.AsType[refusal](err); ok {
		return r.status
	}
	for _, row := range serverapi.Kinds {
		if errors.Is(err, row.Kind) {
			return row.Status
		}
	}
	return http.StatusInternalServerError
}

// textOf is what a client is told: what it can do something about. How the
// host is made is none of its business.
func textOf(err error) string {
	if statusOf(err) == http.StatusInternalServerError {
		return "this is a fault of the server's; its log says more"
	}
	if e, ok := errors.AsType[*quixand.Error](err); ok && e.Hint != "" {
		return err.Error() + " (" + e.Hint + ")"
	}
	return err.Error()
}

// bodyOf is what a client is told of an error. E2B's clients go by the number in
// it, not by the status, and ours by the kind.
func bodyOf(err error) *serverapi.Error {
	body := &serverapi.Error{Code: statusOf(err), Message: textOf(err)}
	for _, row := range serverapi.Kinds {
		if errors.Is(err, row.Kind) || row.Status == body.Code && adapters.KindOf(err) == nil {
			body.Kind = row.Kind.Error()
			break
		}
	}
	if e, ok := errors.AsType[*quixand.Error](err); ok && body.Code != http.StatusInternalServerError {
		body.Hint, body.Phase = e.Hint, e.Phase
		if e.Err != nil {
			body.Cause = e.Err.Error()
		}
	}
	return body
}

func writeFailure(w http.ResponseWriter, err error) {
	body := bodyOf(err)
	writeJSON(w, body.Code, body)
}

// writeError is writeFailure for what the server itself refuses.
func writeError(w http.ResponseWriter, status int, message string) {
	writeFailure(w, refusal{status, message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"code":500,"message":"the answer cannot be written"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	// Who does not read the answer is not waited for.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(readTimeout))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
