package quixand

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/quixand/quixand/internal/agentclient"
)

// Cmd is a command to run in a sandbox, shaped as os/exec's: set its fields,
// then call Run, Output, CombinedOutput or Start. It is used once and, until
// it is started, by one goroutine.
type Cmd struct {
	Path string   // program, looked up in the sandbox's PATH
	Args []string // arguments, without the program

	// Env is added to the sandbox's environment.
	Env map[string]string
	// Dir is where the command starts; relative to the sandbox's workdir.
	Dir string
	// User runs the command as another user of the sandbox, such as root.
	User string
	// Timeout kills the command's process group when it has run this long,
	// and makes Wait return ErrTimeout; zero never does.
	Timeout time.Duration
	// Tag names the process for [Sandbox.Attach].
	Tag string
	// Detach leaves the process running when its context ends or its
	// client dies. Without it the process group is killed then.
	Detach bool

	// Stdin is copied to the command's standard input, which ends with it;
	// nil is an empty input. A command may end without reading it. A Read
	// that waits at that moment is left alone, as nobody can interrupt it.
	Stdin io.Reader
	// OpenStdin, when Stdin is nil, keeps the standard input open for
	// [Process.WriteStdin], this program's or any other's.
	OpenStdin bool
	// Stdout and Stderr receive the output as it comes; a slow writer slows
	// the command. nil discards. The two may be one writer: it is never
	// called concurrently. A writer's error kills the command.
	Stdout, Stderr io.Writer

	// Process is set once the command has started.
	Process *Process

	sandbox *Sandbox
	started bool
	feeder  *feeder        // nil without Stdin
	input   *io.PipeReader // Stdin, where it is a pipe of ours
	pipes   []*pipe        // Stdout and Stderr, where they are pipes

	terminal *agentclient.TerminalSize // not nil: run on a terminal, for PTY
}

// Command returns a Cmd for the program with these arguments. No shell reads
// them.
func (s *Sandbox) Command(name string, args ...string) *Cmd {
	return &Cmd{Path: name, Args: args, sandbox: s}
}

// Run runs the command and waits for it. Its end other than by exit status
// zero is an [*ExitError]; the end of ctx kills the process group inside and is
// ctx's error.
func (c *Cmd) Run(ctx context.Context) error {
	x, err := c.start(ctx)
	if err != nil {
		return err
	}
	x.pump() // in this goroutine: there is nothing else to do for it
	return c.Wait()
}

// Start starts the command and returns when it has a process id. ctx bounds
// the command's whole run, unless Detach is set: then its end ends the Cmd,
// and the process runs on.
func (c *Cmd) Start(ctx context.Context) error {
	x, err := c.start(ctx)
	if err != nil {
		return err
	}
	go x.pump()
	return nil
}

func (c *Cmd) start(ctx context.Context) (*execution, error) {
	if c.started {
		return nil, c.refuse("start", "command was started before")
	}
	c.started = true
	x, err := c.execute(ctx)
	if err != nil {
		closePipes(c.pipes, io.EOF)
		return nil, c.sandbox.wrap(ctx, "start", err)
	}
	return x, nil
}

// execute has the agent start the process, and ties what belongs to it to its
// end.
func (c *Cmd) execute(ctx context.Context) (*execution, error) {
	spec, err := c.spec(ctx)
	if err != nil {
		return nil, err
	}
	agent := c.sandbox.agent
	out, err := agent.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	x := newExecution(c.sandbox, out, c.Stdout, c.Stderr)
	if c.Detach {
		stop := context.AfterFunc(ctx, func() { closePipes(c.pipes, ctx.Err()) })
		x.onEnd(func() { stop() })
	} else {
		x.leash = tie(ctx, agent, out, c.pipes)
		x.onEnd(x.leash.release)
	}
	if c.Timeout > 0 {
		x.timeout = c.Timeout
		late := time.AfterFunc(c.Timeout+grace, func() { out.Cancel(errOverdue) })
		x.onEnd(func() { late.Stop() })
	}
	if c.Stdin != nil {
		c.feeder = feed(ctx, agent, out, c.Stdin)
		x.onEnd(c.endInput)
	}
	x.onEnd(func() { closePipes(c.pipes, cmp.Or(x.err, io.EOF)) })
	c.Process = &Process{PID: out.PID, sandbox: c.sandbox, run: x}
	return x, nil
}

// spec checks the command and describes it to the agent.
func (c *Cmd) spec(ctx context.Context) (*agentclient.Start, error) {
	if err := checkArgs(c.Path, c.Args); err != nil {
		return nil, err
	}
	if err := checkEnv(c.Env); err != nil {
		return nil, err
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		return nil, invalid("timeout of %v is not between 0 and %v", c.Timeout, maxTimeout)
	}
	dir := c.sandbox.workdir
	if c.Dir != "" {
		var err error
		if dir, err = c.sandbox.path(c.Dir); err != nil {
			return nil, err
		}
	}
	return &agentclient.Start{
		Path: c.Path, Args: c.Args, Env: c.Env, Dir: dir, User: c.User, Tag: c.Tag,
		Stdin:            c.Stdin != nil || c.OpenStdin,
		Terminal:         c.terminal,
		Timeout:          c.Timeout,
		KillOnDisconnect: !c.Detach,
	}, ctx.Err()
}

func checkArgs(path string, args []string) error {
	if path == "" {
		return invalid("no program to run")
	}
	for _, s := range append([]string{path}, args...) {
		if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
			return invalid("argument %.80q contains a NUL or is not UTF-8", s)
		}
	}
	return nil
}

// endInput stops the feeding of a command that has ended, and tells whoever
// writes to its pipe.
func (c *Cmd) endInput() {
	c.feeder.cancel()
	if c.input != nil {
		_ = c.input.CloseWithError(syscall.EPIPE)
	}
}

// Wait waits for the command's end and for all its output to be delivered; a
// writer that does not come back keeps it waiting. It may be called by several
// goroutines.
func (c *Cmd) Wait() error {
	if c.Process == nil {
		return c.refuse("wait", "command is not started")
	}
	x := c.Process.run
	<-x.done
	if x.err != nil {
		return x.err
	}
	if !x.result.Success() {
		return &ExitError{Result: x.result}
	}
	return x.wrap("read stdin", c.feeder.readError())
}

// StdinPipe returns a pipe to the command's standard input; closing it ends the
// input. Call it before Start.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil || c.started {
		return nil, c.refuse("stdin pipe", "Stdin is set already, or the command started")
	}
	r, w := io.Pipe()
	c.Stdin, c.input = r, r
	return w, nil
}

// StdoutPipe returns a pipe from the command's standard output, to be read to
// its end before Wait. It holds 64 KiB; a command that writes more waits for
// its reader, and so does what it writes to its other stream. Call it before
// Start.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) { return c.outputPipe("stdout pipe", &c.Stdout) }

// StderrPipe is StdoutPipe for standard error.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) { return c.outputPipe("stderr pipe", &c.Stderr) }

func (c *Cmd) outputPipe(op string, w *io.Writer) (io.ReadCloser, error) {
	if *w != nil || c.started {
		return nil, c.refuse(op, "the stream has a writer already, or the command started")
	}
	p := newPipe()
	*w = p
	c.pipes = append(c.pipes, p)
	return p, nil
}

// refuse is the error for a call at the wrong time.
func (c *Cmd) refuse(op, why string) error {
	return c.sandbox.client.wrap(op, c.sandbox.id, &Error{Kind: ErrConflict, Err: errors.New(why)})
}
