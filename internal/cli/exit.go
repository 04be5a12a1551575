package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

// The exit codes; exitCodesHelp is the same table for people.
const (
	exitError        = 1
	exitUsage        = 2
	exitNotFound     = 3
	exitUnavailable  = 4
	exitTimeout      = 124
	exitSelf         = 125
	exitCannotInvoke = 126
	// A command that is not found is the agent's to tell: it exits with 127,
	// as a shell would.
	exitSignal     = 128 // plus the signal's number
	exitBrokenPipe = exitSignal + int(syscall.SIGPIPE)
)

const exitCodesHelp = `qs exits with one of these codes:

  0    success
  1    an error that has no code of its own
  2    wrong usage: an unknown command or flag, a bad argument
  3    not found: no such sandbox, file or process
  4    the engine, or the sandbox, does not answer
  124  a time limit was reached
  130  interrupted by Ctrl-C (128 plus the number of any signal that ended qs)

run, exec, run-code, connect and attach exit as the command in the sandbox did:
with its exit code, or with 128 plus the number of the signal that killed it.
Their own failures have these codes, as podman's do:

  124  the command reached its --timeout and was killed
  125  qs failed: wrong usage, no such sandbox, no engine
  126  the command was found and cannot be invoked
  127  the command was not found`

// commandStatus is the result of a verb whose command in the sandbox ended with
// this code. It is no failure of qs, so nothing is printed.
type commandStatus int

func (s commandStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// resultStatus gives qs the exit code of a command in the sandbox.
func resultStatus(r *quixand.Result) error {
	if r.Success() {
		return nil
	}
	code := r.ExitCode
	if r.Signal != 0 {
		code = exitSignal + int(r.Signal)
	}
	// A number that the kernel would cut to zero is not a success.
	return commandStatus(cmp.Or(code&0xff, exitError))
}

// invocation is a failure to start a command: a user or directory that is not
// there, an argument that no program can take.
type invocation struct{ err error }

func (e *invocation) Error() string { return e.err.Error() }
func (e *invocation) Unwrap() error { return e.err }

// interrupted is the end of qs by a signal.
type interrupted struct{ signal syscall.Signal }

func (e interrupted) Error() string { return e.signal.String() }

// passesStatus marks the verbs that exit as a command in the sandbox did.
const passesStatus = "passes-status"

func passing() map[string]string { return map[string]string{passesStatus: ""} }

// exitCode chooses the code for a verb's error.
func exitCode(cmd *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	if status, ok := errors.AsType[commandStatus](err); ok {
		return int(status)
	}
	if sig, ok := errors.AsType[interrupted](err); ok {
		return exitSignal + int(sig.signal)
	}
	if isBrokenPipe(err) {
		return exitBrokenPipe
	}
	if _, ok := cmd.Annotations[passesStatus]; ok {
		return ownFailureCode(err)
	}
	return failureCode(err)
}

// isBrokenPipe reports whether nobody reads our output any more. An engine that
// hangs up is another matter: that error is a connection's.
func isBrokenPipe(err error) bool {
	e, ok := errors.AsType[*fs.PathError](err)
	return ok && errors.Is(e, syscall.EPIPE)
}

func failureCode(err error) int {
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	for _, c := range []struct {
		kind error
		code int
	}{
		{quixand.ErrNotFound, exitNotFound},
		{quixand.ErrUnavailable, exitUnavailable},
		{quixand.ErrTimeout, exitTimeout},
		{context.DeadlineExceeded, exitTimeout},
	} {
		if errors.Is(err, c.kind) {
			return c.code
		}
	}
	return exitError
}

// ownFailureCode is failureCode for the verbs that pass a command's status, so
// that their own codes do not look like the command's.
func ownFailureCode(err error) int {
	if inv, ok := errors.AsType[*invocation](err); ok &&
		(errors.Is(inv, quixand.ErrInvalid) || errors.Is(inv, quixand.ErrPermission)) {
		return exitCannotInvoke
	}
	if failureCode(err) == exitTimeout {
		return exitTimeout
	}
	return exitSelf
}
