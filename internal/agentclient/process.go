package agentclient

import (
	"context"
	"math"
	"strconv"
	"syscall"
	"time"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/envd/process"
)

// Selector names a process: by its PID, or by its tag when PID is zero.
type Selector struct {
	PID int
	Tag string
}

func (s Selector) proto() *process.ProcessSelector {
	if s.PID != 0 {
		return &process.ProcessSelector{Selector: &process.ProcessSelector_Pid{Pid: uint32(s.PID)}}
	}
	return &process.ProcessSelector{Selector: &process.ProcessSelector_Tag{Tag: s.Tag}}
}

// Start describes a process to start.
type Start struct {
	Path  string
	Args  []string
	Env   map[string]string
	Dir   string // empty is the agent's default
	User  string // empty is the agent's default
	Tag   string
	Stdin bool // input will be sent; without it the input is empty

	Terminal *TerminalSize // not nil: run on a terminal

	Timeout          time.Duration // the agent kills it then; zero is none
	KillOnDisconnect bool          // kill its group when the stream breaks
}

// TerminalSize is a terminal's size in characters.
type TerminalSize struct{ Cols, Rows int }

func (s *TerminalSize) proto() *process.PTY {
	if s == nil {
		return nil
	}
	return &process.PTY{Size: &process.PTY_Size{Cols: uint32(s.Cols), Rows: uint32(s.Rows)}}
}

// Start starts a process and returns its output once it has a PID. ctx bounds
// the output, and with KillOnDisconnect the process.
func (c *Client) Start(ctx context.Context, s *Start) (*Output, error) {
	config := &process.ProcessConfig{Cmd: s.Path, Args: s.Args, Envs: s.Env}
	if s.Dir != "" {
		config.Cwd = &s.Dir
	}
	msg := &process.StartRequest{Process: config, Pty: s.Terminal.proto(), Stdin: &s.Stdin}
	if s.Tag != "" {
		msg.Tag = &s.Tag
	}
	req := connect.NewRequest(msg)
	setHeaders(req.Header(), []string{
		"Authorization", basicAuth(s.User),
		"Connect-Timeout-Ms", milliseconds(s.Timeout),
	})
	linger := ""
	switch {
	case s.KillOnDisconnect && c.unsteady():
		linger = agentapi.OnDisconnectLinger
		req.Header().Set(agentapi.HeaderOnDisconnect, linger)
	case s.KillOnDisconnect:
		req.Header().Set(agentapi.HeaderOnDisconnect, agentapi.OnDisconnectKill)
	}
	out, err := openOutput(ctx, c.procedures().start, req, (*process.StartResponse).GetEvent)
	if err == nil && c.unsteady() {
		out.again = &reopening{client: c, linger: linger}
	}
	return out, err
}

// milliseconds is a timeout as Connect's header has it: at least one, at most
// ten digits.
func milliseconds(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	ms := math.Ceil(float64(d) / float64(time.Millisecond))
	return strconv.FormatInt(int64(min(ms, 9_999_999_999)), 10)
}

// FromNow, as an offset, asks for output that is still to come.
const FromNow int64 = -1

// Attach returns the output of a running process from offset on, counted in
// bytes of all its streams. The Output begins later when the agent has
// forgotten what was there. The process does not notice when ctx ends.
func (c *Client) Attach(ctx context.Context, sel Selector, offset int64) (*Output, error) {
	req := connect.NewRequest(&process.ConnectRequest{Process: sel.proto()})
	if offset != FromNow {
		req.Header().Set(agentapi.HeaderOffset, strconv.FormatInt(offset, 10))
	}
	out, err := openOutput(ctx, c.procedures().connect, req, (*process.ConnectResponse).GetEvent)
	if err != nil {
		return nil, err
	}
	if out.begin, err = beginning(out.source.ResponseHeader().Get(agentapi.HeaderOffset), offset); err != nil {
		out.Close()
		return nil, err
	}
	if c.unsteady() {
		out.again = &reopening{client: c, at: out.begin}
	}
	return out, nil
}

// beginning reads where the agent says a replay begins. An agent that knows
// no offsets says nothing, and sends what is new.
func beginning(header string, asked int64) (int64, error) {
	if header == "" && asked == FromNow {
		return 0, nil
	}
	begin, err := strconv.ParseInt(header, 10, 64)
	if err != nil || begin < asked || begin < 0 || begin > math.MaxInt64/2 {
		return 0, garbage("replay from %d begins at %.40q", asked, header)
	}
	return begin, nil
}

// Processes lists the running processes that were started through the agent.
func (c *Client) Processes(ctx context.Context) ([]*process.ProcessInfo, error) {
	res, err := unary(ctx, c.procedures().list, &process.ListRequest{})
	if err != nil {
		return nil, err
	}
	for _, p := range res.GetProcesses() {
		if p.GetPid() == 0 || p.GetPid() > math.MaxInt32 {
			return nil, garbage("process id %d", p.GetPid())
		}
	}
	return res.GetProcesses(), nil
}

// Signal sends a signal to the process's group. Numbers beside E2B's two are
// an extension that foreign agents refuse.
func (c *Client) Signal(ctx context.Context, sel Selector, sig syscall.Signal) error {
	_, err := unary(ctx, c.procedures().sendSignal, &process.SendSignalRequest{Process: sel.proto(), Signal: process.Signal(sig)})
	return err
}

// Resize gives the process's terminal a new size.
func (c *Client) Resize(ctx context.Context, sel Selector, size TerminalSize) error {
	_, err := unary(ctx, c.procedures().update, &process.UpdateRequest{Process: sel.proto(), Pty: size.proto()})
	return err
}
