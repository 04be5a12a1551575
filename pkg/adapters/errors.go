package adapters

import (
	"context"
	"errors"
	"strings"
)

// The kinds of failure. Test for them with errors.Is; every error that
// crosses the seam is of exactly one.
var (
	ErrNotFound    = errors.New("not found")          // no such sandbox, file, process or image
	ErrExists      = errors.New("already exists")     // the name is taken
	ErrInvalid     = errors.New("invalid argument")   // the call can never succeed as it is
	ErrPermission  = errors.New("permission denied")  // the sandbox or the host said no
	ErrTimeout     = errors.New("timed out")          // a time budget was used up
	ErrExhausted   = errors.New("resource exhausted") // disk, memory, processes, or a bound of ours
	ErrConflict    = errors.New("wrong state")        // not possible in the state it is in
	ErrUnsupported = errors.New("not supported")      // this engine or host cannot do or enforce it
	ErrUnavailable = errors.New("unavailable")        // the engine or the agent does not answer
	ErrInternal    = errors.New("internal error")     // the engine or the agent broke its contract
)

// Error tells one failure: what was attempted, on which sandbox, of which
// kind it is, and what to do now. errors.Is matches the kind and everything
// that Err matches; errors.As reaches the engine's own error.
type Error struct {
	Op      string // "create", "read file", ...
	Adapter string // "podman", or empty
	ID      string // sandbox id, or empty
	Phase   Phase  // of a creation, or empty
	Kind    error  // one of the Err values above
	Hint    string // what to do now, a sentence for a person, or empty
	Err     error  // the cause, or nil
}

// Error is one line: operation, sandbox, phase, cause. The hint is not part
// of it: the CLI prints it on a line of its own.
func (e *Error) Error() string {
	var parts []string
	if e.Op != "" {
		op := e.Op
		if e.ID != "" {
			op += " " + e.ID
		}
		parts = append(parts, op)
	}
	if e.Phase != "" {
		parts = append(parts, string(e.Phase))
	}
	switch {
	case e.Err != nil:
		parts = append(parts, e.Err.Error())
	case e.Kind != nil:
		parts = append(parts, e.Kind.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives errors.Is and errors.As the kind and the cause.
func (e *Error) Unwrap() []error {
	errs := make([]error, 0, 2)
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// KindOf returns the kind of err. A context's end has the kind ErrTimeout
// only when a deadline passed; a cancelled call, like any other stranger,
// is nil.
func KindOf(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Kind != nil {
		return e.Kind
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	return nil
}
