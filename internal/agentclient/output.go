package agentclient

import (
	"context"
	"math"
	"net/http"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/envd/process"
)

// Stream says which of a process's streams some output belongs to.
type Stream uint8

// The streams of a process.
const (
	Stdout Stream = iota + 1
	Stderr
	Terminal
)

// Event is one step of a process: output, or its end.
type Event struct {
	Stream Stream
	Data   []byte // valid for as long as the caller likes
	Exit   *Exit  // not nil: the process has ended, and this is the last event
}

// Exit is how a process ended.
type Exit struct {
	Code   int            // -1 when a signal ended it
	Signal syscall.Signal // that signal
}

// Output is the stream of one process's events. It is used by one goroutine.
type Output struct {
	PID int // 0 when the command could not be run: what follows says why, as a shell would

	dog    *watchdog
	source eventSource
	begin  int64
	again  *reopening // nil: a stream that breaks has ended
}

// eventSource hides which procedure a stream of events comes from.
type eventSource interface {
	Receive() bool
	Err() error
	ResponseHeader() http.Header
	Close() error
	event() *process.ProcessEvent
}

type events[Res any] struct {
	*connect.ServerStreamForClient[Res]
	get func(*Res) *process.ProcessEvent
}

func (e events[Res]) event() *process.ProcessEvent { return e.get(e.Msg()) }

// openOutput makes the call and waits for its start event.
func openOutput[Req, Res any](ctx context.Context, client *connect.Client[Req, Res], req *connect.Request[Req], get func(*Res) *process.ProcessEvent) (*Output, error) {
	o := &Output{dog: newWatchdog(ctx)}
	s, err := client.CallServerStream(o.dog.ctx, req)
	if err != nil {
		return nil, o.fail(err)
	}
	o.source = events[Res]{s, get}
	if !s.Receive() {
		return nil, o.fail(s.Err())
	}
	start := o.source.event().GetStart()
	if start == nil || start.GetPid() > math.MaxInt32 {
		return nil, o.fail(garbage("first event is not a start with a process id"))
	}
	o.PID = int(start.GetPid())
	o.dog.pause()
	return o, nil
}

// Begin is the offset of the first byte of this output.
func (o *Output) Begin() int64 { return o.begin }

// Next returns the next event. After the one with the exit, and after an
// error, the Output is closed.
func (o *Output) Next() (Event, error) {
	for o.receive() {
		switch e := o.source.event().GetEvent().(type) {
		case *process.ProcessEvent_Data:
			if ev := dataEvent(e.Data); len(ev.Data) > 0 {
				o.again.passed(len(ev.Data))
				return ev, nil
			}
		case *process.ProcessEvent_End:
			exit, err := parseExit(e.End)
			o.finish()
			return Event{Exit: exit}, err
		case *process.ProcessEvent_Keepalive, nil:
		default:
			o.Close()
			return Event{}, garbage("second start event")
		}
	}
	return Event{}, o.fail(o.why())
}

func dataEvent(d *process.ProcessEvent_DataEvent) Event {
	switch out := d.GetOutput().(type) {
	case *process.ProcessEvent_DataEvent_Stdout:
		return Event{Stream: Stdout, Data: out.Stdout}
	case *process.ProcessEvent_DataEvent_Stderr:
		return Event{Stream: Stderr, Data: out.Stderr}
	case *process.ProcessEvent_DataEvent_Pty:
		return Event{Stream: Terminal, Data: out.Pty}
	}
	return Event{}
}

// finish reads the end of the stream, which follows the end event at once, so
// that the connection can be used again. An agent that lets us wait loses it.
func (o *Output) finish() {
	late := time.AfterFunc(time.Second, o.dog.end)
	o.source.Receive()
	late.Stop()
	o.Close()
}

// fail closes the Output and explains why.
func (o *Output) fail(err error) error {
	if err == nil {
		err = garbage("stream ended without an end event")
	}
	err = o.dog.explain(err)
	o.Close()
	return err
}

// Detach frees the stream from the context that it was opened with.
func (o *Output) Detach() { o.dog.detach() }

// Cancel makes Next fail, with cause if that is an [*adapters.Error]. It may be
// called from any goroutine.
func (o *Output) Cancel(cause error) { o.dog.cancel(cause) }

// Close ends the stream. A process that was started to be killed on disconnect
// and still runs is killed by that.
func (o *Output) Close() {
	o.dog.end()
	if o.source != nil {
		_ = o.source.Close()
	}
}

// parseExit reads an end event. E2B tells the signal in words only, those of
// os.ProcessState.
func parseExit(end *process.ProcessEvent_EndEvent) (*Exit, error) {
	if name, ok := strings.CutPrefix(end.GetStatus(), "signal: "); ok && !end.GetExited() {
		sig, ok := signalNamed(strings.TrimSuffix(name, " (core dumped)"))
		if !ok {
			return nil, garbage("signal %.40q", name)
		}
		return &Exit{Code: -1, Signal: sig}, nil
	}
	code := int(end.GetExitCode())
	if code < -1 || code > 255 {
		return nil, garbage("exit code %d", code)
	}
	return &Exit{Code: code}, nil
}

// signalNamed finds the signal to which package syscall gives the name.
func signalNamed(name string) (syscall.Signal, bool) {
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		if sig.String() == name {
			return sig, true
		}
	}
	return 0, false
}
