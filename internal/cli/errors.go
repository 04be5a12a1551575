package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/adapters"
)

// usageError is a mistake in the arguments.
type usageError struct {
	msg  string
	hint string
}

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...)}
}

// report prints a verb's error and returns the exit code of qs.
func (a *App) report(cmd *cobra.Command, err error) int {
	code := exitCode(cmd, err)
	if err == nil || isQuiet(err) {
		return code
	}
	if a.global.json {
		a.reportJSON(cmd, err, code)
		return code
	}
	for _, e := range flatten(err) {
		a.printf("qs: %s\n", termsafe.Line(e.Error()))
		for hint := range strings.Lines(hintOf(cmd, e)) {
			a.printf("hint: %s\n", strings.TrimSuffix(hint, "\n"))
		}
	}
	return code
}

// isQuiet reports the ends that say enough by their exit code: the status of a
// command, the user's own Ctrl-C, a reader of the output who had enough.
func isQuiet(err error) bool {
	if _, ok := errors.AsType[commandStatus](err); ok {
		return true
	}
	if _, ok := errors.AsType[interrupted](err); ok {
		return true
	}
	return isBrokenPipe(err)
}

// errorJSON is an error with --json: one object per line on standard error.
type errorJSON struct {
	Error    string `json:"error"`
	Kind     string `json:"kind,omitempty"`
	ID       string `json:"id,omitempty"`
	Phase    string `json:"phase,omitempty"`
	Hint     string `json:"hint,omitempty"`
	ExitCode int    `json:"exitCode"`
}

func (a *App) reportJSON(cmd *cobra.Command, err error, code int) {
	for _, e := range flatten(err) {
		out := errorJSON{Error: e.Error(), Hint: hintOf(cmd, e), ExitCode: code}
		if kind := adapters.KindOf(e); kind != nil {
			out.Kind = kind.Error()
		}
		if typed, ok := errors.AsType[*adapters.Error](e); ok {
			out.ID, out.Phase = typed.ID, string(typed.Phase)
		}
		if _, ok := errors.AsType[*usageError](e); ok {
			out.Kind = "usage"
		}
		a.printJSONLine(out)
	}
}

// printJSONLine tells a program something on standard error.
func (a *App) printJSONLine(v any) {
	if b, err := marshal(v, ""); err == nil {
		_, _ = a.Stderr.Write(b) // there is no other place to complain
	}
}

// flatten gives the errors that errors.Join has put together.
func flatten(err error) []error {
	if _, ok := err.(*adapters.Error); ok { //nolint:errorlint // what is wrapped is the question
		return []error{err}
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// hintOf tells what to do about an error, in lines, or nothing.
func hintOf(cmd *cobra.Command, err error) string {
	if usage, ok := errors.AsType[*usageError](err); ok {
		if usage.hint == "" {
			return fmt.Sprintf("%s --help shows the usage", cmd.CommandPath())
		}
		return usage.hint
	}
	if typed, ok := errors.AsType[*adapters.Error](err); ok {
		return typed.Hint
	}
	return ""
}
