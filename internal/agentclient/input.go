package agentclient

import (
	"context"
	"errors"
	"io"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/envd/process"
)

// maxInput is how much input travels in one message.
const maxInput = 64 << 10

// Input is one ordered stream of input to a process. It is used by one
// goroutine.
type Input struct {
	ctx      context.Context // the caller's, asked why the stream has ended
	stream   *connect.ClientStreamForClient[process.StreamInputRequest, process.StreamInputResponse]
	terminal bool
	detach   func() bool // frees the stream from ctx
}

// OpenInput opens the input of a process, its terminal's when it runs on one.
// ctx bounds the stream.
func (c *Client) OpenInput(ctx context.Context, sel Selector, terminal bool) (*Input, error) {
	i := &Input{ctx: ctx, stream: c.procedures().streamInput.CallClientStream(ctx), terminal: terminal}
	conn, err := i.stream.Conn()
	if err != nil {
		return nil, mapError(ctx, err)
	}
	start := &process.StreamInputRequest_StartEvent{Process: sel.proto()}
	err = i.send(&process.StreamInputRequest{Event: &process.StreamInputRequest_Start{Start: start}})
	// net/http waits for the end of a request's body even when the request is
	// cancelled, and nobody may be about to write or close.
	i.detach = context.AfterFunc(ctx, func() { _ = conn.CloseRequest() })
	return i, err
}

// Write sends input. It returns when the data is on its way: the process has
// it once Close has returned nil.
func (i *Input) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		chunk := p[written:min(written+maxInput, len(p))]
		data := &process.StreamInputRequest_DataEvent{Input: input(chunk, i.terminal)}
		if err := i.send(&process.StreamInputRequest{Event: &process.StreamInputRequest_Data{Data: data}}); err != nil {
			return written, err
		}
		written += len(chunk)
	}
	return written, nil
}

func (i *Input) send(msg *process.StreamInputRequest) error {
	err := i.stream.Send(msg)
	if errors.Is(err, io.EOF) { // the answer, which came too early, says why
		if _, err = i.stream.CloseAndReceive(); err == nil {
			err = garbage("input was not read to its end")
		}
	}
	return mapError(i.ctx, err)
}

// Close ends the stream, not the process's input, and waits until all that was
// written has reached the process.
func (i *Input) Close() error {
	i.detach()
	_, err := i.stream.CloseAndReceive()
	return mapError(i.ctx, err)
}

// SendInput sends some input and returns when the process has it in its pipe,
// however long that takes the process.
func (c *Client) SendInput(ctx context.Context, sel Selector, data []byte, terminal bool) error {
	for len(data) > 0 {
		chunk := data[:min(maxInput, len(data))]
		msg := &process.SendInputRequest{Process: sel.proto(), Input: input(chunk, terminal)}
		if _, err := exchange(ctx, ctx, c.procedures().sendInput, msg, nil); err != nil {
			return err
		}
		data = data[len(chunk):]
	}
	return nil
}

func input(data []byte, terminal bool) *process.ProcessInput {
	if terminal {
		return &process.ProcessInput{Input: &process.ProcessInput_Pty{Pty: data}}
	}
	return &process.ProcessInput{Input: &process.ProcessInput_Stdin{Stdin: data}}
}

// CloseStdin ends the process's standard input.
func (c *Client) CloseStdin(ctx context.Context, sel Selector) error {
	_, err := unary(ctx, c.procedures().closeStdin, &process.CloseStdinRequest{Process: sel.proto()})
	return err
}
