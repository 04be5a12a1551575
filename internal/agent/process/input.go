package process

import (
	"context"
	"os"
	"time"
)

// input is the writing end of a process's stdin, or of its terminal. Writers
// take turns, so that what one call sends stays together.
type input struct {
	file *os.File
	turn chan struct{} // holds one value while nobody writes
}

func newInput(f *os.File) *input {
	in := &input{file: f, turn: make(chan struct{}, 1)}
	in.turn <- struct{}{}
	return in
}

// write waits while the process does not read, until ctx ends.
func (in *input) write(ctx context.Context, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	select {
	case <-in.turn:
		defer func() { in.turn <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = in.file.SetWriteDeadline(time.Unix(1, 0))
	})
	_, err := in.file.Write(p)
	if stop() {
		return err
	}
	<-interrupted
	_ = in.file.SetWriteDeadline(time.Time{})
	if err != nil {
		err = context.Cause(ctx)
	}
	return err
}

// finish closes the input after the writes that came before it.
func (in *input) finish(ctx context.Context) error {
	select {
	case <-in.turn:
		defer func() { in.turn <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	in.close()
	return nil
}

// close closes the input at once; a write that waits fails.
func (in *input) close() { _ = in.file.Close() }
