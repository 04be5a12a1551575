package quixand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/quixand/quixand/internal/agentclient"
)

// execution delivers the output of one process, started here or attached to,
// until it ends.
type execution struct {
	sandbox        *Sandbox
	out            *agentclient.Output
	stdout, stderr io.Writer
	delivered      atomic.Int64 // offset behind the last byte that was written

	leash   *leash        // what ends it early; nil when nothing does
	timeout time.Duration // of a command, or zero
	atEnd   []func()

	// To be read after done.
	done   chan struct{}
	result Result
	err    error
}

func newExecution(s *Sandbox, out *agentclient.Output, stdout, stderr io.Writer) *execution {
	x := &execution{sandbox: s, out: out, stdout: stdout, stderr: stderr, done: make(chan struct{})}
	x.delivered.Store(out.Begin())
	return x
}

// onEnd registers what is to be done before done is closed.
func (x *execution) onEnd(f func()) { x.atEnd = append(x.atEnd, f) }

// pump delivers the output until the process ends.
func (x *execution) pump() {
	x.err = x.deliver()
	for _, f := range x.atEnd {
		f()
	}
	close(x.done)
}

func (x *execution) deliver() error {
	var broken error // of a writer
	for {
		event, err := x.out.Next()
		switch {
		case err != nil:
			x.result.ExitCode = -1
			if broken != nil {
				return broken
			}
			return x.explain(err)
		case event.Exit != nil:
			x.result.ExitCode, x.result.Signal = event.Exit.Code, event.Exit.Signal
			if x.leash.cut(x.result) {
				return x.wrap("run", x.leash.ctx.Err())
			}
			if errors.Is(broken, errUnread) {
				return nil // that the process was killed says it all
			}
			return broken
		case broken == nil:
			if broken = x.write(event); broken != nil {
				x.abandon()
			}
		}
	}
}

// write delivers some output.
func (x *execution) write(event agentclient.Event) error {
	w := x.stdout
	if event.Stream == agentclient.Stderr {
		w = x.stderr
	}
	if w == nil {
		x.delivered.Add(int64(len(event.Data)))
		return nil
	}
	n, err := w.Write(event.Data)
	if err == nil && n < len(event.Data) {
		err = io.ErrShortWrite
	}
	x.delivered.Add(int64(n))
	return x.wrap("write output", err)
}

// abandon ends what nobody takes the output of: the process, or, when that is
// to outlive us, the connection to it.
func (x *execution) abandon() {
	if x.leash != nil {
		x.leash.kill()
		return
	}
	x.out.Cancel(errDetached)
}

// explain completes an error of the stream.
func (x *execution) explain(err error) error {
	if x.timeout > 0 && errors.Is(err, ErrTimeout) && saidByAgent(err) {
		err = &Error{Kind: ErrTimeout, Err: fmt.Errorf("command has run for longer than %v", x.timeout)}
	}
	return x.wrap("run", err)
}

func (x *execution) wrap(op string, err error) error {
	return x.sandbox.wrap(context.Background(), op, err)
}
