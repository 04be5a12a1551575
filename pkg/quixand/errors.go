package quixand

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/pkg/adapters"
)

// Error tells one failure: see [adapters.Error].
type Error = adapters.Error

// The kinds of failure, for errors.Is.
var (
	ErrNotFound    = adapters.ErrNotFound
	ErrExists      = adapters.ErrExists
	ErrInvalid     = adapters.ErrInvalid
	ErrPermission  = adapters.ErrPermission
	ErrTimeout     = adapters.ErrTimeout
	ErrExhausted   = adapters.ErrExhausted
	ErrConflict    = adapters.ErrConflict
	ErrUnsupported = adapters.ErrUnsupported
	ErrUnavailable = adapters.ErrUnavailable
	ErrInternal    = adapters.ErrInternal
)

// ExitError is returned by [Cmd.Run], [Cmd.Wait], [Cmd.Output] and
// [Cmd.CombinedOutput] for a command that did not exit with status zero.
// The Result's output is what these calls would have returned, and Stderr
// what they have kept.
type ExitError struct {
	Result Result
}

func (e *ExitError) Error() string {
	if e.Result.Signal != 0 {
		return fmt.Sprintf("killed by signal: %v", e.Result.Signal)
	}
	return fmt.Sprintf("exit status %d", e.Result.ExitCode)
}

// OutputLostError is what waiting for a re-attached process returns beside its
// result when some of the output had fallen out of the agent's replay buffer.
// All that the agent still had was delivered.
type OutputLostError struct {
	Offset int64 // where the gap begins
	Lost   int64 // bytes that are gone
}

func (e *OutputLostError) Error() string {
	return fmt.Sprintf("%d bytes of output at offset %d are no longer in the replay buffer", e.Lost, e.Offset)
}

// wrap completes an error with what was attempted, by which adapter and on
// which sandbox. It does not touch what a layer below knew better.
func wrap(op, adapter, id string, err error) error {
	if err == nil {
		return nil
	}
	var e Error
	if own, ok := outermost(err); ok {
		e = *own
	} else {
		e = Error{Kind: kindOf(err), Err: err}
	}
	e.Op = firstSet(e.Op, op)
	e.Adapter = firstSet(e.Adapter, adapter)
	e.ID = firstSet(e.ID, id)
	return &e
}

// outermost is err when that is an *Error itself: one that it wraps has been
// given words since, which are not to be lost.
func outermost(err error) (*Error, bool) {
	e, ok := err.(*Error) //nolint:errorlint // see above
	return e, ok
}

// kindOf is the kind of an error that may be a stranger's, such as that of a
// caller's reader, which has none.
func kindOf(err error) error {
	if kind := adapters.KindOf(err); kind != nil {
		return kind
	}
	for sentinel, kind := range map[error]error{
		fs.ErrNotExist:   ErrNotFound,
		fs.ErrExist:      ErrExists,
		fs.ErrPermission: ErrPermission,
		fs.ErrInvalid:    ErrInvalid,
	} {
		if errors.Is(err, sentinel) {
			return kind
		}
	}
	return nil
}

// wrap is the package's wrap for a call of the sandbox's agent. When nobody
// answers it asks the engine whether there still is a sandbox.
func (s *Sandbox) wrap(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if nobodyAnswers(err) {
		err = s.whyUnavailable(ctx, err)
	}
	return wrap(op, s.client.cfg.Adapter, s.id, err)
}

// nobodyAnswers reports whether the way to the agent has failed.
func nobodyAnswers(err error) bool {
	if _, ok := errors.AsType[onHost](err); ok || saidByAgent(err) {
		return false
	}
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound)
}

// saidByAgent reports whether the agent itself has answered with this error.
func saidByAgent(err error) bool {
	_, ok := errors.AsType[*agentclient.Refusal](err)
	return ok
}

// whyUnavailable replaces an error of the data plane by what the engine says.
func (s *Sandbox) whyUnavailable(ctx context.Context, err error) error {
	if s.gone.Load() {
		return s.client.mourn(ctx, s.id, errGone)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
	defer cancel()
	info, engineErr := s.client.adapter.Get(ctx, s.id)
	switch {
	case errors.Is(engineErr, ErrNotFound), engineErr == nil && info.State == adapters.StateStopped:
		s.gone.Store(true)
		return s.client.mourn(ctx, s.id, errGone)
	case engineErr == nil && info.State == adapters.StatePaused:
		return paused(s.id)
	case engineErr == nil && info.State != adapters.StateRunning:
		return &Error{Kind: ErrConflict, Err: fmt.Errorf("sandbox is %s: %w", info.State, err)}
	}
	return &Error{
		Kind: ErrUnavailable, Err: err,
		Hint: "the sandbox's agent does not answer; kill the sandbox and create another",
	}
}

var errGone = &Error{
	Kind: ErrNotFound,
	Err:  errors.New("sandbox is gone"),
	Hint: "it was killed, or its timeout has ended it; create another, with a longer Timeout if need be",
}

// pathError adds a path to what the agent says of it, and the error that
// errors.Is knows from package io/fs.
type pathError struct {
	path  string
	cause error
	std   error // may be nil
}

func (e *pathError) Error() string {
	p := e.path
	if q := strconv.Quote(p); q != `"`+p+`"` || p == "" {
		p = q
	}
	if e.std != nil {
		return p + ": " + e.std.Error()
	}
	return p + ": " + e.cause.Error()
}

func (e *pathError) Unwrap() []error {
	if e.std == nil {
		return []error{e.cause}
	}
	return []error{e.cause, e.std}
}

// stdErrors maps kinds to what package io/fs calls them.
var stdErrors = map[error]error{
	ErrNotFound:   fs.ErrNotExist,
	ErrExists:     fs.ErrExist,
	ErrPermission: fs.ErrPermission,
}

// wrapPath is wrap for a call about a path.
func (s *Sandbox) wrapPath(ctx context.Context, op, path string, err error) error {
	if e, ok := outermost(err); ok && e.Err != nil && saidByAgent(e.Err) {
		with := *e
		with.Err = &pathError{path: path, cause: e.Err, std: stdErrors[e.Kind]}
		err = &with
	}
	return s.wrap(ctx, op, err)
}
