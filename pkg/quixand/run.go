package quixand

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// MaxOutput bounds what [Sandbox.Run], [Cmd.Output] and their kin keep of each
// stream, in bytes.
const MaxOutput = 64 << 20

// Result is how a command ended and what it wrote.
type Result struct {
	ExitCode int            `json:"exitCode"`         // -1 when a signal ended it
	Signal   syscall.Signal `json:"signal,omitempty"` // that signal
	Stdout   []byte         `json:"stdout"`
	Stderr   []byte         `json:"stderr"`
}

// Text is the standard output as text.
func (r *Result) Text() string { return string(r.Stdout) }

// Success reports whether the command exited with status zero.
func (r *Result) Success() bool { return r.ExitCode == 0 && r.Signal == 0 }

// Run runs a program and returns how it ended and what it wrote. An exit status
// other than zero is a result, not an error; so is 127 for a program that is
// not there. More than MaxOutput of output kills the program and is
// ErrExhausted. When a program has started and Run fails, the Result holds
// what it wrote before that.
func (s *Sandbox) Run(ctx context.Context, name string, args ...string) (*Result, error) {
	return s.Command(name, args...).capture(ctx)
}

// Shell is Run for a shell script, with the sandbox's sh (a login shell of the
// user's is not started). Never build the script from input that you do not trust.
func (s *Sandbox) Shell(ctx context.Context, script string) (*Result, error) {
	return s.Run(ctx, "sh", "-c", script)
}

// capture runs the command and keeps what it writes.
func (c *Cmd) capture(ctx context.Context) (*Result, error) {
	var stdout, stderr buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run(ctx)
	if c.Process == nil {
		return nil, err
	}
	res := c.Process.run.result
	res.Stdout, res.Stderr = stdout.data, stderr.data
	if _, exited := errors.AsType[*ExitError](err); exited {
		err = nil
	}
	return &res, err
}

// Output is Run that returns the standard output, at most MaxOutput bytes:
// more is ErrExhausted and kills the command. When Stderr is nil, an ExitError
// holds the beginning of the standard error.
func (c *Cmd) Output(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil {
		return nil, c.refuse("output", "Stdout is set already")
	}
	var stdout buffer
	c.Stdout = &stdout
	var stderr head
	if c.Stderr == nil {
		c.Stderr = &stderr
	}
	err := c.Run(ctx)
	if exit, ok := errors.AsType[*ExitError](err); ok {
		exit.Result.Stdout, exit.Result.Stderr = stdout.data, stderr.data
	}
	return stdout.data, err
}

// CombinedOutput is Output with standard error mixed in, in the order in which
// the agent read them.
func (c *Cmd) CombinedOutput(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, c.refuse("output", "Stdout or Stderr is set already")
	}
	var both buffer
	c.Stdout, c.Stderr = &both, &both
	err := c.Run(ctx)
	if exit, ok := errors.AsType[*ExitError](err); ok {
		exit.Result.Stdout = both.data
	}
	return both.data, err
}

// buffer keeps up to MaxOutput bytes and takes no more.
type buffer struct{ data []byte }

func (b *buffer) Write(p []byte) (int, error) {
	n := min(len(p), MaxOutput-len(b.data))
	b.data = append(b.data, p[:n]...)
	if n < len(p) {
		return n, errTooMuch
	}
	return n, nil
}

var errTooMuch = &Error{
	Kind: ErrExhausted,
	Err:  fmt.Errorf("command wrote more than %d bytes", MaxOutput),
	Hint: "set Cmd.Stdout to a writer, or redirect the output to a file in the sandbox",
}

// head keeps the beginning of what is written, enough for an error message.
type head struct{ data []byte }

func (h *head) Write(p []byte) (int, error) {
	h.data = append(h.data, p[:min(len(p), pipeSize-len(h.data))]...)
	return len(p), nil
}
