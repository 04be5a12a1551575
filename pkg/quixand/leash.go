package quixand

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/quixand/quixand/internal/agentclient"
)

// grace is how long an agent may take to report the end of a process that it
// was told to kill. After that it is not believed to do it.
const grace = 3 * time.Second

var errOverdue = &Error{Kind: ErrTimeout, Err: errors.New("the agent has not ended the command in time")}

// leash kills a process when its context ends. It does not just cut the
// connection, though the agent kills the process then, too: so the process is
// dead when its Cmd's Wait returns, and its last words are delivered.
type leash struct {
	ctx   context.Context // it ends with the command, so it is kept
	agent *agentclient.Client
	out   *agentclient.Output
	pipes []*pipe // nobody may wait for their readers any more

	release func()
	once    sync.Once
	late    *time.Timer
}

// tie puts a process on a leash.
func tie(ctx context.Context, agent *agentclient.Client, out *agentclient.Output, pipes []*pipe) *leash {
	l := &leash{ctx: ctx, agent: agent, out: out, pipes: pipes}
	out.Detach()
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		l.kill()
	})
	l.release = func() {
		if !stop() {
			<-killed
		}
		l.once.Do(func() {}) // it is dead: too late for kill
		if l.late != nil {
			l.late.Stop()
		}
	}
	return l
}

// kill kills the process group. When the agent does not report its end soon,
// the connection is given up.
func (l *leash) kill() {
	l.once.Do(func() {
		closePipes(l.pipes, cmp.Or(l.ctx.Err(), io.ErrClosedPipe))
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), grace)
		defer cancel()
		err := l.agent.Signal(ctx, agentclient.Selector{PID: l.out.PID}, syscall.SIGKILL)
		if err != nil && !saidByAgent(err) {
			l.out.Cancel(err)
			return
		}
		l.late = time.AfterFunc(grace, func() { l.out.Cancel(errOverdue) })
	})
}

// cut reports whether a process has ended this way because its context did.
func (l *leash) cut(r Result) bool {
	return l != nil && l.ctx.Err() != nil && r.Signal == syscall.SIGKILL
}
