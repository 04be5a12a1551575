package quixand

import (
	"context"
	"errors"
	"io"
	"math"
	"syscall"

	"github.com/quixand/quixand/internal/agentclient"
)

// Process is a process in a sandbox that was started through the agent.
type Process struct {
	PID int

	sandbox  *Sandbox
	run      *execution
	attached bool
	gap      *OutputLostError // between what was asked for and what was there
}

func (p *Process) selector() agentclient.Selector { return agentclient.Selector{PID: p.PID} }

// Signal sends a signal to the process's group.
func (p *Process) Signal(ctx context.Context, sig syscall.Signal) error {
	if sig < 1 || sig > 64 {
		return p.sandbox.client.wrap("signal", p.sandbox.id, invalid("%d is not a signal", int(sig)))
	}
	return p.sandbox.wrap(ctx, "signal", p.sandbox.agent.Signal(ctx, p.selector(), sig))
}

// Kill is Signal with SIGKILL.
func (p *Process) Kill(ctx context.Context) error { return p.Signal(ctx, syscall.SIGKILL) }

// WriteStdin writes to the standard input of a process that was started with
// [Cmd.OpenStdin]. The pipe's capacity is its bound: a process that does not
// read makes the call wait.
func (p *Process) WriteStdin(ctx context.Context, data []byte) error {
	return p.sandbox.wrap(ctx, "write stdin", p.sandbox.agent.SendInput(ctx, p.selector(), data, false))
}

// CloseStdin ends the standard input. A repeat is harmless.
func (p *Process) CloseStdin(ctx context.Context) error {
	return p.sandbox.wrap(ctx, "close stdin", p.sandbox.agent.CloseStdin(ctx, p.selector()))
}

// Wait waits for the end of the process and of its output, and returns how it
// ended. When ctx ends before, the process runs on; but an attachment ends
// then, so that [Process.Offset] is final. Where the replay had a gap, the
// result comes with an [*OutputLostError].
func (p *Process) Wait(ctx context.Context) (*Result, error) {
	select {
	case <-p.run.done:
	case <-ctx.Done():
		if p.attached {
			p.run.out.Cancel(errDetached)
			<-p.run.done
		}
		return nil, p.sandbox.wrap(ctx, "wait", ctx.Err())
	}
	if p.run.err != nil {
		return nil, p.run.err
	}
	res := p.run.result
	if p.gap != nil {
		return &res, p.sandbox.wrap(ctx, "wait", p.gap)
	}
	return &res, nil
}

// Offset counts the output bytes that have been delivered to this Process, of
// all streams together. It is what [AttachOptions].Offset takes to go on here
// after this Process: no byte is lost or doubled.
func (p *Process) Offset() int64 { return p.run.delivered.Load() }

// ProcessInfo describes a running process.
type ProcessInfo struct {
	PID  int               `json:"pid"`
	Tag  string            `json:"tag,omitempty"`
	Cmd  string            `json:"cmd"`
	Args []string          `json:"args"`
	Env  map[string]string `json:"env,omitempty"`
	Dir  string            `json:"dir,omitempty"`
}

// Processes lists the running processes that were started through the agent,
// whichever program started them.
func (s *Sandbox) Processes(ctx context.Context) ([]ProcessInfo, error) {
	list, err := s.agent.Processes(ctx)
	if err != nil {
		return nil, s.wrap(ctx, "list processes", err)
	}
	infos := make([]ProcessInfo, len(list))
	for i, p := range list {
		infos[i] = ProcessInfo{
			PID:  int(p.GetPid()),
			Tag:  p.GetTag(),
			Cmd:  p.GetConfig().GetCmd(),
			Args: p.GetConfig().GetArgs(),
			Env:  p.GetConfig().GetEnvs(),
			Dir:  p.GetConfig().GetCwd(),
		}
	}
	return infos, nil
}

// ProcessRef names a process: by its PID, or by its Tag when PID is zero.
type ProcessRef struct {
	PID int
	Tag string
}

func (r ProcessRef) selector() (agentclient.Selector, error) {
	if r.PID < 0 || r.PID > math.MaxInt32 || r.PID == 0 && r.Tag == "" {
		return agentclient.Selector{}, invalid("neither a process id nor a tag: %d, %q", r.PID, r.Tag)
	}
	return agentclient.Selector{PID: r.PID, Tag: r.Tag}, nil
}

// AttachOptions says what an attached process's output goes to, and from where.
type AttachOptions struct {
	// Offset is where to begin, in output bytes of all streams since the
	// process began: 0 is everything that the agent still has, FromNow only
	// what is new. See [Process.Offset].
	Offset int64
	// Stdout and Stderr receive the output; nil discards. A terminal's
	// output goes to Stdout.
	Stdout, Stderr io.Writer
}

// FromNow is the offset of output that is still to come.
const FromNow int64 = agentclient.FromNow

// Attach attaches to a process that this or any other program started, until
// the process or ctx ends. It works for some minutes after the process's end,
// too. The process does not notice when an attached client leaves. nil options
// replay everything to nobody, which is a way to wait for the process.
func (s *Sandbox) Attach(ctx context.Context, ref ProcessRef, opts *AttachOptions) (*Process, error) {
	if opts == nil {
		opts = &AttachOptions{}
	}
	p, err := s.attach(ctx, ref, opts)
	if err != nil {
		return nil, s.wrap(ctx, "attach", err)
	}
	go p.run.pump()
	return p, nil
}

func (s *Sandbox) attach(ctx context.Context, ref ProcessRef, opts *AttachOptions) (*Process, error) {
	sel, err := ref.selector()
	if err != nil {
		return nil, err
	}
	if opts.Offset < 0 && opts.Offset != FromNow {
		return nil, invalid("offset %d is negative", opts.Offset)
	}
	out, err := s.agent.Attach(ctx, sel, opts.Offset)
	if err != nil {
		return nil, err
	}
	p := &Process{PID: out.PID, sandbox: s, attached: true, run: newExecution(s, out, opts.Stdout, opts.Stderr)}
	if lost := out.Begin() - opts.Offset; lost > 0 && opts.Offset != FromNow {
		p.gap = &OutputLostError{Offset: opts.Offset, Lost: lost}
	}
	return p, nil
}

var errDetached = &Error{Kind: ErrConflict, Err: errors.New("the attachment has ended")}
