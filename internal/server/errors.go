package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/quixand/quixand/pkg/quixand"
)

// refusal is an error that the server itself has found in a request.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

func badRequest(text string) error { return refusal{http.StatusBadRequest, text} }

// statuses is the one table from kinds of error to what E2B's clients expect.
var statuses = []struct {
	kind   error
	status int
}{
	{quixand.ErrNotFound, http.StatusNotFound},
	{quixand.ErrExists, http.StatusConflict},
	{quixand.ErrConflict, http.StatusConflict},
	{quixand.ErrInvalid, http.StatusBadRequest},
	{quixand.ErrPermission, http.StatusForbidden},
	{quixand.ErrTimeout, http.StatusGatewayTimeout},
	{quixand.ErrExhausted, http.StatusTooManyRequests},
	{quixand.ErrUnsupported, http.StatusNotImplemented},
	{quixand.ErrUnavailable, http.StatusServiceUnavailable},
}

func statusOf(err error) int {
	if r, ok := errors.AsType[refusal](err); ok {
		return r.status
	}
	for _, row := range statuses {
		if errors.Is(err, row.kind) {
			return row.status
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

// writeError writes the body that E2B's clients look into: they go by the
// number in it, not by the status.
func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{status, message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"code":500,"message":"the answer cannot be written"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
