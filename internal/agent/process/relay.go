package process

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agent/output"
	"github.com/quixand/quixand/internal/agent/stream"
	pb "github.com/quixand/quixand/internal/envd/process"
)

// The largest data events, which are E2B's.
const (
	maxEvent         = 32 << 10
	maxTerminalEvent = 16 << 10
)

// patience is how long the first events wait for company, and the pipes for
// attendance. Many commands end sooner, and then all that they have to say is
// one write.
const patience = 2 * time.Millisecond

// relay sends a process's events to one caller until the process or the
// caller ends.
func relay(ctx context.Context, p *proc, sub *output.Subscription, silence time.Duration, send func(*pb.ProcessEvent) error) error {
	defer p.attend()
	cork := stream.From(ctx)
	cork.Hold()
	if err := send(startEvent(p)); err != nil {
		return err
	}
	pushed := false
	first := patience
	if p.stdin != nil {
		first = 0 // its caller is waiting for its number, to send input
	}
	timer := time.NewTimer(first)
	defer timer.Stop()
	for {
		sent, eof, err := drain(p, sub, send)
		if err != nil {
			return err
		}
		if eof {
			return sendEnd(ctx, p, send)
		}
		if sent && pushed {
			cork.Push()
			timer.Reset(silence)
		}
		select {
		case <-sub.Wait():
		case <-timer.C:
			if pushed {
				err = send(keepaliveEvent())
			}
			if err != nil {
				return err
			}
			cork.Push()
			p.attend()
			pushed = true
			timer.Reset(silence)
		case <-ctx.Done():
			return cancelled(ctx)
		}
	}
}

// drain sends the output that there is now.
func drain(p *proc, sub *output.Subscription, send func(*pb.ProcessEvent) error) (sent, eof bool, err error) {
	limit := maxEvent
	if p.tty != nil {
		limit = maxTerminalEvent
	}
	var event dataEvent
	for {
		stream, bytes, eof := sub.Peek(limit)
		if len(bytes) == 0 {
			return sent, eof, nil
		}
		if err := send(event.set(stream, bytes)); err != nil {
			return sent, false, err
		}
		sub.Advance(len(bytes))
		sent = true
	}
}

// sendEnd sends the last event, unless the process ended because its time was
// up.
func sendEnd(ctx context.Context, p *proc, send func(*pb.ProcessEvent) error) error {
	if deadline, ok := ctx.Deadline(); ok && time.Now().After(deadline) {
		return errTimeout
	}
	return send(endEvent(p))
}

// lastWords sends what a process had written when it was killed.
func lastWords(p *proc, sub *output.Subscription, send func(*pb.ProcessEvent) error) {
	grace := time.NewTimer(killGrace)
	defer grace.Stop()
	for {
		_, eof, err := drain(p, sub, send)
		if eof || err != nil {
			return
		}
		select {
		case <-sub.Wait():
		case <-grace.C:
			return
		}
	}
}

// killGrace bounds the wait for the end of a process that was killed: one
// that the kernel cannot interrupt must not hold its caller.
const killGrace = 2 * time.Second

var errTimeout = connect.NewError(connect.CodeDeadlineExceeded, errors.New("time-out"))

// cancelled tells a time-out, which the process shares, from a caller's going
// away, which it does not.
func cancelled(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errTimeout
	}
	return connect.NewError(connect.CodeCanceled, ctx.Err())
}

func keepaliveEvent() *pb.ProcessEvent {
	return &pb.ProcessEvent{Event: &pb.ProcessEvent_Keepalive{Keepalive: &pb.ProcessEvent_KeepAlive{}}}
}

func startEvent(p *proc) *pb.ProcessEvent {
	return &pb.ProcessEvent{Event: &pb.ProcessEvent_Start{Start: &pb.ProcessEvent_StartEvent{Pid: p.pid}}}
}

func endEvent(p *proc) *pb.ProcessEvent {
	end := &pb.ProcessEvent_EndEvent{
		ExitCode: int32(p.exit.Code()),
		Exited:   p.exit.Exited(),
		Status:   p.exit.String(),
	}
	if end.ExitCode != 0 {
		end.Error = &end.Status
	}
	return &pb.ProcessEvent{Event: &pb.ProcessEvent_End{End: end}}
}

// dataEvent is a data event that is used again for every piece of output.
type dataEvent struct {
	event    pb.ProcessEvent
	wrapper  pb.ProcessEvent_Data
	data     pb.ProcessEvent_DataEvent
	stdout   pb.ProcessEvent_DataEvent_Stdout
	stderr   pb.ProcessEvent_DataEvent_Stderr
	terminal pb.ProcessEvent_DataEvent_Pty
}

func (d *dataEvent) set(stream output.Stream, bytes []byte) *pb.ProcessEvent {
	switch stream {
	case output.Stdout:
		d.stdout.Stdout = bytes
		d.data.Output = &d.stdout
	case output.Stderr:
		d.stderr.Stderr = bytes
		d.data.Output = &d.stderr
	case output.Terminal:
		d.terminal.Pty = bytes
		d.data.Output = &d.terminal
	}
	d.wrapper.Data = &d.data
	d.event.Event = &d.wrapper
	return &d.event
}
