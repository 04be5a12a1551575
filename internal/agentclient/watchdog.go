package agentclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// patience is how long the agent may let its caller wait: for the answer to a
// call whose context has no deadline, for a stream to begin, and for the next
// bytes of a transfer.
const patience = time.Minute

var errSilent = &adapters.Error{
	Kind: adapters.ErrUnavailable,
	Err:  fmt.Errorf("the agent has been silent for %v", patience),
}

// withPatience bounds a call for which its caller has set no deadline.
func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, patience, errSilent)
}

// watchdog bounds the waiting in a call that may last for ever. It runs while
// the agent is waited for and is paused while the caller works.
type watchdog struct {
	ctx    context.Context // the call's: ends with the caller's, and with patience
	caller context.Context
	cancel context.CancelCauseFunc
	detach func() bool // frees ctx from caller
	timer  *time.Timer
}

// newWatchdog returns a watchdog that runs. The context of its call has no
// deadline that connect could pass on: to an agent, Connect-Timeout-Ms is the
// process's own time limit, which holds even when nobody listens any more.
func newWatchdog(ctx context.Context) *watchdog {
	w := &watchdog{caller: ctx}
	w.ctx, w.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	w.detach = context.AfterFunc(ctx, func() { w.cancel(context.Cause(ctx)) })
	if ctx.Err() != nil {
		w.cancel(context.Cause(ctx)) // AfterFunc takes its time
	}
	w.timer = time.AfterFunc(patience, func() { w.cancel(errSilent) })
	return w
}

func (w *watchdog) pause()  { w.timer.Stop() }
func (w *watchdog) resume() { w.timer.Reset(patience) }

// end ends the call.
func (w *watchdog) end() {
	w.timer.Stop()
	w.detach()
	w.cancel(nil)
}

// explain is mapError for what the call failed with. Who ended it on purpose
// has said why.
func (w *watchdog) explain(err error) error {
	if cause, ok := errors.AsType[*adapters.Error](context.Cause(w.ctx)); ok && err != nil {
		return cause
	}
	return mapError(w.caller, err)
}
