package process

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/journal"
	"github.com/quixand/quixand/internal/agent/output"
	"github.com/quixand/quixand/internal/agent/spawn"
	pb "github.com/quixand/quixand/internal/envd/process"
)

// proc is a process that was started through the agent, until it is
// forgotten. It ends when its leader has ended and its pipes have: what a
// descendant still writes belongs to it.
type proc struct {
	config *pb.ProcessConfig
	tag    *string
	pid    uint32 // 0 when there never was a process

	out     *output.Ring
	journal *journal.Process
	stdin   *input // nil: reads nothing
	tty     *os.File
	pipes   []*pipe

	os   *spawn.Process // nil when there never was a process
	exit spawn.Exit     // set before ended is closed

	pending  atomic.Int32 // the leader and the pipes that have not ended
	finished func(*proc)
	idle     func()        // ends the activity that the process is
	ended    chan struct{} // closed when all have
	at       time.Time     // when that was

	mu     sync.Mutex
	bare   []*pipe     // those of pipes that nobody attends to
	left   bool        // the leader has ended
	cut    bool        // descendants are not waited for
	over   bool        // everything has ended
	budget *time.Timer // kills at the caller's deadline
	linger *lingering  // a stream that broke and may be replaced

	holders int // streams whose end is the process's, unless they are replaced
}

// started makes the process known to those who signal it.
func (p *proc) started(leader *spawn.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.os, p.pid = leader, uint32(leader.PID)
	p.journal.Began(p.pid)
}

// leaderExited is called by the reaper. The leader's status is the process's.
func (p *proc) leaderExited(e spawn.Exit) {
	p.journal.Began(uint32(e.PID))
	p.mu.Lock()
	p.exit = e
	p.left = true
	bare, cut := p.takeBare(), p.cut
	if cut {
		p.stopPipes()
	}
	p.mu.Unlock()
	p.settle(bare, cut)
	p.partEnded()
}

// takeBare returns the pipes that nobody attends to. Whoever takes them does.
func (p *proc) takeBare() []*pipe {
	bare := p.bare
	p.bare = nil
	return bare
}

// attend has the pipes read as the process writes. Until then it writes no
// more than a pipe holds.
func (p *proc) attend() {
	p.mu.Lock()
	bare := p.takeBare()
	p.mu.Unlock()
	p.settle(bare, false)
}

// catchUp returns when what the process has written by now is in the ring, so
// that it is not taken for new. It does not wait for an audience that holds
// the ring up.
func (p *proc) catchUp(ctx context.Context) {
	p.attend()
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	for _, pipe := range p.pipes {
		select {
		case <-pipe.catchUp():
		case <-ctx.Done():
			return
		}
	}
}

// settle takes what is in bare pipes, and attends to those that go on, unless
// they are cut.
func (p *proc) settle(bare []*pipe, cut bool) {
	for _, pipe := range bare {
		if pipe.take(p.out) || cut && pipe.rest == nil {
			pipe.close()
			p.partEnded()
		} else {
			p.pump(pipe)
		}
	}
}

// pump moves a pipe's bytes into the ring until it ends.
func (p *proc) pump(pipe *pipe) {
	p.mu.Lock()
	pipe.attend()
	if p.left && p.cut {
		pipe.stop()
	}
	p.mu.Unlock()
	go func() {
		defer p.partEnded()
		if pipe.file != p.tty {
			// A terminal is closed with the last part: its end hangs up on a
			// leader that has closed its own and is about to exit.
			defer pipe.close()
		}
		pipe.copyTo(p.out)
	}()
}

func (p *proc) partEnded() {
	if p.pending.Add(-1) > 0 {
		return
	}
	p.mu.Lock()
	p.over = true
	if p.budget != nil {
		p.budget.Stop()
	}
	p.replace(nil)
	p.mu.Unlock()
	if p.stdin != nil {
		p.stdin.close()
	}
	if p.tty != nil {
		p.tty.Close()
	}
	p.at = time.Now()
	p.finished(p)
	close(p.ended)
	p.out.Close()
}

// signal reaches the process's group. After SIGKILL or SIGTERM the end of the
// leader is the end of the process, whoever still holds its pipes.
func (p *proc) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.os == nil {
		return unix.ESRCH
	}
	err := p.os.SignalGroup(sig)
	if sig == unix.SIGKILL || sig == unix.SIGTERM {
		p.cut = true
		if p.left {
			p.stopPipes()
		}
	}
	return err
}

func (p *proc) stopPipes() {
	for _, pipe := range p.pipes {
		pipe.stop()
	}
}

// killAt kills the process when the time has come. The deadline is the
// process's: it holds when the stream that brought it is gone.
func (p *proc) killAt(deadline time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.budget = time.AfterFunc(time.Until(deadline), p.kill)
	}
}

func (p *proc) kill() { _ = p.signal(unix.SIGKILL) }

// resize sets the terminal's size.
func (p *proc) resize(size *pb.PTY_Size) error {
	conn, err := p.tty.SyscallConn()
	if err != nil {
		return err
	}
	var ioctlErr error
	err = conn.Control(func(fd uintptr) {
		ioctlErr = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, winsize(size))
	})
	return errors.Join(err, ioctlErr)
}

func winsize(size *pb.PTY_Size) *unix.Winsize {
	clamp := func(n uint32) uint16 { return uint16(min(n, math.MaxUint16)) }
	return &unix.Winsize{Row: clamp(size.GetRows()), Col: clamp(size.GetCols())}
}

// write sends bytes to the process, waiting while it does not read them.
func (p *proc) write(ctx context.Context, in *pb.ProcessInput) error {
	switch in := in.GetInput().(type) {
	case *pb.ProcessInput_Stdin:
		if p.tty != nil {
			return connect.NewError(connect.CodeInternal, errors.New("process has a terminal: send pty input"))
		}
		if p.stdin == nil {
			return connect.NewError(connect.CodeInternal, errors.New("process was started without stdin"))
		}
		return inputError(p.stdin.write(ctx, in.Stdin))
	case *pb.ProcessInput_Pty:
		if p.tty == nil {
			return connect.NewError(connect.CodeInternal, errors.New("process has no terminal: send stdin input"))
		}
		return inputError(p.stdin.write(ctx, in.Pty))
	}
	return connect.NewError(connect.CodeInvalidArgument, errors.New("no input given"))
}

// inputError is the one table from a failed write to what the caller hears.
func inputError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrClosed):
		return connect.NewError(connect.CodeFailedPrecondition, errors.New("stdin is closed"))
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EIO):
		return connect.NewError(connect.CodeFailedPrecondition, errors.New("process has closed its stdin"))
	case errors.Is(err, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, err)
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, err)
	}
	return connect.NewError(connect.CodeInternal, err)
}
