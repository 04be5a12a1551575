package agentclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/envd/process"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	// reopenFor is how long a stream that broke is asked for again: less than the
	// agent's patience, agentapi.LingerFor.
	reopenFor = 4 * time.Second
	// reopenPause is the first pause between two attempts; each is twice as long as
	// the one before.
	reopenPause = 50 * time.Millisecond
	// mostVain is how many streams in a row may break that have brought no output.
	mostVain = 20
)

// unsteady reports whether the way to the agent is one that breaks although both
// ends live, as a network does.
func (c *Client) unsteady() bool {
	rt, ok := c.rt.(interface{ Unsteady() bool })
	return ok && rt.Unsteady()
}

// reopening is what it takes to go on with the output of a process where a stream
// has broken.
type reopening struct {
	client *Client
	linger string // of the stream: see agentapi.HeaderOnDisconnect
	at     int64  // offset behind what was passed on
	vain   int    // streams in a row that brought nothing
	failed error  // what became of the last attempt
}

// passed counts output that has been passed on.
func (r *reopening) passed(n int) {
	if r != nil {
		r.at += int64(n)
		r.vain = 0
	}
}

// receive is the source's, over as many streams as that takes.
func (o *Output) receive() bool {
	for !o.source.Receive() {
		err := o.source.Err()
		if o.again == nil || o.PID == 0 || o.dog.ctx.Err() != nil || hopeless(err) || o.again.vain >= mostVain {
			return false
		}
		o.again.vain++
		if o.again.failed = o.reopen(); o.again.failed != nil {
			return false
		}
	}
	return true
}

// why is the error of a source that receives no more.
func (o *Output) why() error {
	if o.again != nil && o.again.failed != nil {
		return o.again.failed
	}
	return o.source.Err()
}

// hopeless reports errors that another stream would have, too: the agent's own
// words, and those of whoever knows that it is not there. A stream that ends
// without the process's end has broken.
func hopeless(err error) bool {
	if said, ok := errors.AsType[*connect.Error](err); ok && connect.IsWireError(said) {
		return true
	}
	known, ok := errors.AsType[*adapters.Error](err)
	return ok && !errors.Is(known, adapters.ErrUnavailable)
}

// reopen asks for the rest of the output until the agent answers.
func (o *Output) reopen() error {
	ctx, cancel := context.WithTimeout(o.dog.ctx, reopenFor)
	defer cancel()
	for pause := reopenPause; ; pause *= 2 {
		err := o.attachAgain()
		if err == nil || hopeless(err) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// attachAgain replaces the source by one that goes on where it ended.
func (o *Output) attachAgain() error {
	r := o.again
	req := connect.NewRequest(&process.ConnectRequest{Process: Selector{PID: o.PID}.proto()})
	req.Header().Set(agentapi.HeaderOffset, strconv.FormatInt(r.at, 10))
	setHeaders(req.Header(), []string{agentapi.HeaderOnDisconnect, r.linger})
	s, err := r.client.procedures().connect.CallServerStream(o.dog.ctx, req)
	if err != nil {
		return err
	}
	if !s.Receive() {
		err := s.Err()
		_ = s.Close()
		return cmp.Or(err, io.ErrUnexpectedEOF)
	}
	next := events[process.ConnectResponse]{s, (*process.ConnectResponse).GetEvent}
	begin, err := beginning(s.ResponseHeader().Get(agentapi.HeaderOffset), r.at)
	switch {
	case err != nil:
	case next.event().GetStart() == nil:
		err = garbage("first event is not a start")
	case begin > r.at:
		err = &adapters.Error{
			Kind: adapters.ErrExhausted,
			Err:  fmt.Errorf("%d bytes of output were lost with the connection: the agent has no more room for them", begin-r.at),
		}
	default:
		_ = o.source.Close()
		o.source = next
		return nil
	}
	_ = s.Close()
	return err
}
