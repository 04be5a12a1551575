package agentclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/adapters"
)

// Refusal is the cause of an error that the agent itself has answered with:
// the agent lives, and said no.
type Refusal struct {
	Message string // the agent's words, made safe for one line
}

func (r *Refusal) Error() string { return r.Message }

// kinds is the one table from the agent's codes to the kinds of failure.
// Codes that it lacks are ErrInternal.
var kinds = map[connect.Code]error{
	connect.CodeInvalidArgument:    adapters.ErrInvalid,
	connect.CodeOutOfRange:         adapters.ErrInvalid,
	connect.CodeDeadlineExceeded:   adapters.ErrTimeout,
	connect.CodeNotFound:           adapters.ErrNotFound,
	connect.CodeAlreadyExists:      adapters.ErrExists,
	connect.CodePermissionDenied:   adapters.ErrPermission,
	connect.CodeUnauthenticated:    adapters.ErrPermission,
	connect.CodeResourceExhausted:  adapters.ErrExhausted,
	connect.CodeFailedPrecondition: adapters.ErrConflict,
	connect.CodeAborted:            adapters.ErrConflict,
	connect.CodeUnimplemented:      adapters.ErrUnsupported,
	connect.CodeUnavailable:        adapters.ErrUnavailable,
}

// statusCodes gives the HTTP statuses of /files and our own calls the codes
// of the table above.
var statusCodes = map[int]connect.Code{
	http.StatusBadRequest:            connect.CodeInvalidArgument,
	http.StatusUnauthorized:          connect.CodeUnauthenticated,
	http.StatusForbidden:             connect.CodePermissionDenied,
	http.StatusNotFound:              connect.CodeNotFound,
	http.StatusConflict:              connect.CodeFailedPrecondition,
	http.StatusRequestEntityTooLarge: connect.CodeResourceExhausted,
	http.StatusTooManyRequests:       connect.CodeResourceExhausted,
	http.StatusInsufficientStorage:   connect.CodeResourceExhausted,
	http.StatusMethodNotAllowed:      connect.CodeUnimplemented,
	http.StatusNotImplemented:        connect.CodeUnimplemented,
	http.StatusBadGateway:            connect.CodeUnavailable,
	http.StatusServiceUnavailable:    connect.CodeUnavailable,
	http.StatusGatewayTimeout:        connect.CodeUnavailable,
}

// mapError turns whatever a call failed with into an *adapters.Error, or into
// ctx's own error once ctx has ended. ctx is the caller's.
func mapError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return &adapters.Error{Kind: adapters.KindOf(ctx.Err()), Err: ctx.Err()}
	}
	if mapped, ok := errors.AsType[*adapters.Error](err); ok {
		return mapped // by the RoundTripper, which knows better
	}
	if said, ok := errors.AsType[*connect.Error](err); ok && connect.IsWireError(said) {
		return refused(said.Code(), said.Message())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errSilent
	}
	if connect.CodeOf(err) == connect.CodeUnavailable || isBroken(err) {
		return &adapters.Error{Kind: adapters.ErrUnavailable, Err: oneLineError{fmt.Errorf("connection to the agent: %w", rootCause(err))}}
	}
	return garbage("%w", err)
}

// refused is the error for what the agent says of itself.
func refused(code connect.Code, message string) error {
	kind, ok := kinds[code]
	if !ok {
		kind = adapters.ErrInternal
	}
	if message = termsafe.Brief(message); message == "" {
		message = code.String()
	}
	return &adapters.Error{Kind: kind, Err: &Refusal{Message: message}}
}

// garbage is the error for an answer that breaks the protocol.
func garbage(format string, args ...any) error {
	return &adapters.Error{Kind: adapters.ErrInternal, Err: oneLineError{fmt.Errorf("unexpected answer of the agent: "+format, args...)}}
}

// oneLineError keeps a cause that may quote the agent from spoiling a log.
type oneLineError struct{ error }

func (e oneLineError) Error() string { return termsafe.Brief(e.error.Error()) }
func (e oneLineError) Unwrap() error { return e.error }
