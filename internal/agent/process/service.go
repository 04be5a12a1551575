// Package process is E2B's process service: it starts commands, streams what
// they write, feeds them, signals them, and lets callers attach to them again.
//
// It adds two things to E2B's protocol by headers: a replay from an offset,
// and the killing of a process whose caller is gone. How processes are made is
// package spawn's business, and how output is kept package output's.
package process

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/environ"
	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/journal"
	"github.com/quixand/quixand/internal/agent/keepalive"
	"github.com/quixand/quixand/internal/agent/output"
	"github.com/quixand/quixand/internal/agent/spawn"
	"github.com/quixand/quixand/internal/agentapi"
	pb "github.com/quixand/quixand/internal/envd/process"
	"github.com/quixand/quixand/internal/envd/process/processconnect"
	"github.com/quixand/quixand/internal/memory"
)

// outputBudget bounds what all processes together may keep of their output.
const outputBudget = 64 << 20

// Options are what the service works with.
type Options struct {
	Spawner *spawn.Spawner
	Users   *identity.Directory
	Env     *environ.Environment
	Begin   func() (end func()) // reports a running process as activity
	Journal *journal.Journal    // of what runs and what it writes
}

// Service implements [processconnect.ProcessHandler].
type Service struct {
	spawner *spawn.Spawner
	users   *identity.Directory
	env     *environ.Environment
	budget  *output.Budget
	table   *table
	journal *journal.Journal
	kills   *memory.Kills
	null    *os.File
}

var _ processconnect.ProcessHandler = (*Service)(nil)

// New returns a Service.
func New(o Options) (*Service, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	return &Service{
		spawner: o.Spawner, users: o.Users, env: o.Env,
		budget:  output.NewBudget(outputBudget),
		table:   newTable(o.Begin),
		journal: o.Journal,
		kills:   memory.Watch(memory.Events, memory.EventsV1),
		null:    null,
	}, nil
}

// finished is called when everything of a process has ended.
func (s *Service) finished(p *proc) {
	if p.exit.Killed() && s.kills.New() > 0 {
		s.journal.Note(agentapi.Record{Type: agentapi.RecordMemory, PID: p.pid})
	}
	p.journal.Ended(p.exit.Code(), p.exit.String())
	s.table.finished(p)
}

// Running is the number of running processes.
func (s *Service) Running() int { return s.table.count() }

// Close kills every process and waits for its end.
func (s *Service) Close() {
	running := s.table.all()
	for _, p := range running {
		p.kill()
	}
	for _, p := range running {
		<-p.ended
	}
	s.table.close()
	s.null.Close()
}

// List names the running processes.
func (s *Service) List(context.Context, *connect.Request[pb.ListRequest]) (*connect.Response[pb.ListResponse], error) {
	res := &pb.ListResponse{}
	for _, p := range s.table.all() {
		res.Processes = append(res.Processes, &pb.ProcessInfo{Config: p.config, Pid: p.pid, Tag: p.tag})
	}
	return connect.NewResponse(res), nil
}

// Start runs a command and streams its output. The process outlives the
// stream unless the caller asks otherwise; it does not outlive the request's
// time-out.
func (s *Service) Start(ctx context.Context, req *connect.Request[pb.StartRequest], stream *connect.ServerStream[pb.StartResponse]) error {
	u, err := s.users.FromHeader(req.Header())
	if err != nil {
		return connect.NewError(connect.CodeUnauthenticated, err)
	}
	p, sub, err := s.start(req.Msg, u)
	if err != nil {
		return err
	}
	defer p.hold(req.Header(), sub)()
	if deadline, ok := ctx.Deadline(); ok {
		p.killAt(deadline)
	}
	res := &pb.StartResponse{}
	send := func(e *pb.ProcessEvent) error {
		res.Event = e
		return stream.Send(res)
	}
	err = relay(ctx, p, sub, keepalive.Interval(req.Header()), send)
	switch {
	case errors.Is(err, errTimeout):
		p.kill()
		lastWords(p, sub, send)
	case err != nil && killOnDisconnect(req.Header()):
		p.kill()
	}
	return err
}

// Connect attaches to a process that runs, or that has ended lately.
func (s *Service) Connect(ctx context.Context, req *connect.Request[pb.ConnectRequest], stream *connect.ServerStream[pb.ConnectResponse]) error {
	offset, within := int64(-1), plainFor
	if text := req.Header().Get(agentapi.HeaderOffset); text != "" {
		var err error
		offset, err = strconv.ParseInt(text, 10, 64)
		if err != nil || offset < 0 {
			return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("header %s is not a count of bytes: %q", agentapi.HeaderOffset, text))
		}
		within = keepFor
	}
	p, err := s.table.find(req.Msg.GetProcess(), within)
	if err != nil {
		return err
	}
	if offset < 0 {
		p.catchUp(ctx)
	}
	sub := p.out.Subscribe(offset)
	defer p.hold(req.Header(), sub)()
	if end := sub.Offset(); offset > end {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("offset %d is past the output, which ends at %d", offset, end))
	}
	stream.ResponseHeader().Set(agentapi.HeaderOffset, strconv.FormatInt(sub.Offset(), 10))
	res := &pb.ConnectResponse{}
	return relay(ctx, p, sub, keepalive.Interval(req.Header()), func(e *pb.ProcessEvent) error {
		res.Event = e
		return stream.Send(res)
	})
}

// Update resizes a process's terminal.
func (s *Service) Update(_ context.Context, req *connect.Request[pb.UpdateRequest]) (*connect.Response[pb.UpdateResponse], error) {
	p, err := s.table.live(req.Msg.GetProcess())
	if err != nil {
		return nil, err
	}
	if size := req.Msg.GetPty().GetSize(); size != nil {
		if p.tty == nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("process has no terminal"))
		}
		if err := p.resize(size); err != nil {
			return nil, connect.NewError(connect.CodeInternal, err)
		}
	}
	return connect.NewResponse(&pb.UpdateResponse{}), nil
}

// SendInput writes to a process's stdin or terminal, and returns when the
// kernel has taken all of it.
func (s *Service) SendInput(ctx context.Context, req *connect.Request[pb.SendInputRequest]) (*connect.Response[pb.SendInputResponse], error) {
	p, err := s.table.live(req.Msg.GetProcess())
	if err != nil {
		return nil, err
	}
	if err := p.write(ctx, req.Msg.GetInput()); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.SendInputResponse{}), nil
}

// StreamInput is SendInput for a stream of inputs to one process.
func (s *Service) StreamInput(ctx context.Context, stream *connect.ClientStream[pb.StreamInputRequest]) (*connect.Response[pb.StreamInputResponse], error) {
	var p *proc
	for stream.Receive() {
		var err error
		switch e := stream.Msg().GetEvent().(type) {
		case *pb.StreamInputRequest_Start:
			p, err = s.table.live(e.Start.GetProcess())
		case *pb.StreamInputRequest_Data:
			if p == nil {
				return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("the first message must be start"))
			}
			err = p.write(ctx, e.Data.GetInput())
		}
		if err != nil {
			return nil, err
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.StreamInputResponse{}), nil
}

// SendSignal signals a process's group. E2B's enum names two signals; any
// number that the kernel knows is understood.
func (s *Service) SendSignal(_ context.Context, req *connect.Request[pb.SendSignalRequest]) (*connect.Response[pb.SendSignalResponse], error) {
	sig := syscall.Signal(req.Msg.GetSignal())
	if sig < 1 || sig > 64 {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("no such signal: %d", int(sig)))
	}
	p, err := s.table.live(req.Msg.GetProcess())
	if err != nil {
		return nil, err
	}
	err = p.signal(sig)
	if errors.Is(err, unix.ESRCH) {
		return nil, notFound(req.Msg.GetProcess())
	}
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	return connect.NewResponse(&pb.SendSignalResponse{}), nil
}

// CloseStdin ends a process's stdin, after the input that came before.
func (s *Service) CloseStdin(ctx context.Context, req *connect.Request[pb.CloseStdinRequest]) (*connect.Response[pb.CloseStdinResponse], error) {
	p, err := s.table.live(req.Msg.GetProcess())
	if err != nil {
		return nil, err
	}
	if p.tty != nil {
		return nil, connect.NewError(connect.CodeUnknown, errors.New("a terminal's input cannot be closed: send the byte 4"))
	}
	if p.stdin != nil {
		if err := p.stdin.finish(ctx); err != nil {
			return nil, inputError(err)
		}
	}
	return connect.NewResponse(&pb.CloseStdinResponse{}), nil
}

func notFound(sel *pb.ProcessSelector) error {
	what := fmt.Sprintf("process %d", sel.GetPid())
	if tag, ok := sel.GetSelector().(*pb.ProcessSelector_Tag); ok {
		what = fmt.Sprintf("process with tag %q", tag.Tag)
	}
	return connect.NewError(connect.CodeNotFound, fmt.Errorf("%s not found", what))
}

func killOnDisconnect(h http.Header) bool {
	return h.Get(agentapi.HeaderOnDisconnect) == agentapi.OnDisconnectKill
}
