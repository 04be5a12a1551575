// Package httperr writes the errors of the agent's plain HTTP endpoints: one
// JSON shape, and one table from what the kernel says to an HTTP status. The
// Connect services have codes of their own.
package httperr

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
)

// body is what E2B's clients read.
type body struct {
	Message string `json:"message"`
	Code    int    `json:"code"`
}

// Write answers a request with an error.
func Write(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body{message, status})
}

// WriteErr answers with what err means.
func WriteErr(w http.ResponseWriter, err error) { Write(w, Status(err), err.Error()) }

// Error is an error with a status of its own.
type Error struct {
	Status int
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// BadRequest marks an error as the caller's.
func BadRequest(err error) error { return &Error{http.StatusBadRequest, err} }

// Status is the one table from errors to HTTP statuses.
func Status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	for _, row := range statuses {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	return http.StatusInternalServerError
}

var statuses = []struct {
	err    error
	status int
}{
	{identity.ErrUnknownUser, http.StatusUnauthorized},
	{fs.ErrNotExist, http.StatusNotFound},
	{unix.ENOSPC, http.StatusInsufficientStorage},
	{unix.EDQUOT, http.StatusInsufficientStorage},
	{unix.EISDIR, http.StatusBadRequest},
	{unix.ENOTDIR, http.StatusBadRequest},
	{unix.ELOOP, http.StatusBadRequest},
	{unix.ENAMETOOLONG, http.StatusBadRequest},
	{unix.EINVAL, http.StatusBadRequest},
	{unix.EROFS, http.StatusForbidden},
	{fs.ErrPermission, http.StatusForbidden},
	{unix.EMFILE, http.StatusServiceUnavailable},
	{unix.ENFILE, http.StatusServiceUnavailable},
}
