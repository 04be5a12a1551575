package cli

import (
	"context"
	"io"
)

// breakable is an output of qs to which a command in the sandbox writes. When
// nobody reads it any more the command is over, as it would be in a local
// pipeline.
type breakable struct {
	w      io.Writer
	cancel context.CancelCauseFunc
}

func (b *breakable) Write(p []byte) (int, error) {
	n, err := b.w.Write(p)
	if err != nil {
		b.cancel(err)
	}
	return n, err
}
