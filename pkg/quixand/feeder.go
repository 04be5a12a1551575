package quixand

import (
	"context"
	"io"
	"sync"

	"github.com/quixand/quixand/internal/agentclient"
)

// feeder copies a reader to a process's standard input, until it is cancelled.
// A Read that is going on then is left alone.
type feeder struct {
	agent  *agentclient.Client
	out    *agentclient.Output
	src    io.Reader
	ctx    context.Context
	cancel context.CancelFunc

	mu  sync.Mutex
	err error // the reader's
}

// feed starts to copy src to the process whose output is out.
func feed(ctx context.Context, agent *agentclient.Client, out *agentclient.Output, src io.Reader) *feeder {
	f := &feeder{agent: agent, out: out, src: src}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go f.run()
	return f
}

// run feeds, and ends the input. What the agent says against it means that the
// process has ended or has closed its input, which it may.
func (f *feeder) run() {
	sel := agentclient.Selector{PID: f.out.PID}
	err := f.copy(sel)
	if err == nil || saidByAgent(err) {
		err = f.agent.CloseStdin(f.ctx, sel)
	}
	if err != nil && !saidByAgent(err) && f.ctx.Err() == nil {
		f.out.Cancel(err) // the process would wait for ever
	}
}

func (f *feeder) copy(sel agentclient.Selector) error {
	var in *agentclient.Input
	buf := make([]byte, 32<<10)
	for {
		n, err := f.src.Read(buf)
		if n > 0 && in == nil {
			var openErr error
			if in, openErr = f.agent.OpenInput(f.ctx, sel, false); openErr != nil {
				return openErr
			}
		}
		if n > 0 {
			if _, err := in.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			if err != io.EOF {
				f.fail(err)
			}
			break
		}
	}
	if in == nil {
		return nil
	}
	return in.Close()
}

func (f *feeder) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// readError is what the reader has failed with.
func (f *feeder) readError() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
