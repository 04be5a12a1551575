package process

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agent/output"
	pb "github.com/quixand/quixand/internal/envd/process"
)

// The largest data events, which are E2B's.
const (
	maxEvent         = 32 << 10
	maxTerminalEvent = 16 << 10
)

// relay sends a process's events to one caller until the process or the
// caller ends.
func relay(ctx context.Context, p *proc, sub *output.Subscription, silence time.Duration, send func(*pb.ProcessEvent) error) error {
	if err := send(startEvent(p)); err != nil {
		return err
	}
	limit := maxEvent
	if p.tty != nil {
		limit = maxTerminalEvent
	}
	ping := time.NewTimer(silence)
	defer ping.Stop()
	var event dataEvent
	for {
		stream, bytes, eof := sub.Peek(limit)
		switch {
		case eof:
			if deadline, ok := ctx.Deadline(); ok && time.Now().After(deadline) {
				return errTimeout // it is what ended the process
			}
			return send(endEvent(p))
		case len(bytes) > 0:
			if err := send(event.set(stream, bytes)); err != nil {
				return err
			}
			sub.Advance(len(bytes))
			ping.Reset(silence)
			continue
		}
		select {
		case <-sub.Wait():
		case <-ping.C:
			if err := send(&pb.ProcessEvent{Event: &pb.ProcessEvent_Keepalive{Keepalive: &pb.ProcessEvent_KeepAlive{}}}); err != nil {
				return err
			}
			ping.Reset(silence)
		case <-ctx.Done():
			return cancelled(ctx)
		}
	}
}

var errTimeout = connect.NewError(connect.CodeDeadlineExceeded, errors.New("time-out"))

// cancelled tells a time-out, which the process shares, from a caller's going
// away, which it does not.
func cancelled(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errTimeout
	}
	return connect.NewError(connect.CodeCanceled, ctx.Err())
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
