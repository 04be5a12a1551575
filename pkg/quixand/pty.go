package quixand

import (
	"cmp"
	"context"
	"io"
	"sync"

	"github.com/quixand/quixand/internal/agentclient"
)

// PTY is a process with a terminal. Read returns what it writes to the
// terminal, and io.EOF after its end; Write types. Reads and Writes may be
// concurrent with each other. Whoever waits for the process reads to the end
// before, as its output is not dropped.
type PTY struct {
	*Process

	ctx    context.Context // of the whole session, which Write has no other of
	output *pipe
	typing sync.Mutex // keeps concurrent Writes in one piece each
}

// PTYOptions describes the terminal and what runs on it.
type PTYOptions struct {
	Command    []string // program and arguments; nil is a login shell: bash where there is one, else sh
	Cols, Rows int      // zero is 80 and 24
	Env        map[string]string
	Dir, User  string
	Tag        string
	Detach     bool // the process survives the end of ctx and of this program; see [Sandbox.AttachPTY]
}

// PTY starts a process on a terminal of its own. ctx bounds the whole session:
// its end kills the process group, unless Detach is set.
func (s *Sandbox) PTY(ctx context.Context, opts *PTYOptions) (*PTY, error) {
	if opts == nil {
		opts = &PTYOptions{}
	}
	p := &PTY{ctx: ctx, output: newPipe()}
	x, err := s.openPTY(ctx, opts, p.output)
	if err != nil {
		return nil, s.wrap(ctx, "open pty", err)
	}
	p.Process = &Process{PID: x.out.PID, sandbox: s, run: x}
	go x.pump()
	return p, nil
}

// loginShell is what runs on a terminal for which nothing is named.
var loginShell = []string{"/bin/sh", "-c", `exec "$(command -v bash || echo /bin/sh)" -l`}

func (s *Sandbox) openPTY(ctx context.Context, opts *PTYOptions, output *pipe) (*execution, error) {
	size, err := terminalSize(opts.Cols, opts.Rows)
	if err != nil {
		return nil, err
	}
	command := opts.Command
	if len(command) == 0 {
		command = loginShell
	}
	c := Cmd{
		Path: command[0], Args: command[1:], Env: opts.Env, Dir: opts.Dir, User: opts.User,
		Tag: opts.Tag, Detach: opts.Detach, OpenStdin: true, Stdout: output, Stderr: output, sandbox: s,
		pipes: []*pipe{output}, terminal: size,
	}
	return c.execute(ctx)
}

// terminalSize checks a size; zeros have defaults.
func terminalSize(cols, rows int) (*agentclient.TerminalSize, error) {
	size := &agentclient.TerminalSize{Cols: cols, Rows: rows}
	if size.Cols == 0 {
		size.Cols = 80
	}
	if size.Rows == 0 {
		size.Rows = 24
	}
	if size.Cols < 0 || size.Rows < 0 || size.Cols > maxTerminal || size.Rows > maxTerminal {
		return nil, invalid("a terminal of %d by %d characters", cols, rows)
	}
	return size, nil
}

// maxTerminal is the largest number that a struct winsize holds.
const maxTerminal = 65535

// AttachPTY attaches to a process that runs on a terminal, which any program
// may have started. What the agent still has of its output is replayed. ctx
// bounds the attachment; the process survives it.
func (s *Sandbox) AttachPTY(ctx context.Context, ref ProcessRef) (*PTY, error) {
	p := &PTY{ctx: ctx, output: newPipe()}
	var err error
	if p.Process, err = s.attach(ctx, ref, &AttachOptions{Stdout: p.output}); err != nil {
		return nil, s.wrap(ctx, "attach pty", err)
	}
	stop := context.AfterFunc(ctx, func() { p.output.closeWithError(ctx.Err()) })
	p.run.onEnd(func() {
		stop()
		p.output.closeWithError(cmp.Or(p.run.err, io.EOF))
	})
	go p.run.pump()
	return p, nil
}

// Read implements io.Reader.
func (p *PTY) Read(b []byte) (int, error) { return p.output.Read(b) }

// Write implements io.Writer.
func (p *PTY) Write(b []byte) (int, error) {
	p.typing.Lock()
	defer p.typing.Unlock()
	if err := p.sandbox.agent.SendInput(p.ctx, p.selector(), b, true); err != nil {
		return 0, p.sandbox.wrap(p.ctx, "write pty", err)
	}
	return len(b), nil
}

// Resize tells the process that its terminal has a new size.
func (p *PTY) Resize(ctx context.Context, cols, rows int) error {
	size, err := terminalSize(cols, rows)
	if err == nil {
		err = p.sandbox.agent.Resize(ctx, p.selector(), *size)
	}
	return p.sandbox.wrap(ctx, "resize pty", err)
}

// Close hangs up: the process group is killed, unless the PTY is detached or
// attached, and its end waited for. After the end it does nothing.
func (p *PTY) Close() error {
	_ = p.output.Close()
	if p.run.leash != nil {
		p.run.leash.kill()
	} else {
		p.run.out.Cancel(errDetached)
	}
	<-p.run.done
	return nil
}

var _ io.ReadWriteCloser = (*PTY)(nil)
