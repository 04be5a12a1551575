package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/containerd/errdefs"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

func TestMapError(t *testing.T) {
	for _, c := range []struct {
		err        error
		kind       error
		unanswered bool
	}{
		{fmt.Errorf("No such container: x: %w", errdefs.ErrNotFound), adapters.ErrNotFound, false},
		{fmt.Errorf(`Conflict. The container name "/x" is already in use by container "y": %w`, errdefs.ErrConflict), adapters.ErrExists, false},
		{fmt.Errorf("Container x is not paused: %w", errdefs.ErrInternal), adapters.ErrConflict, false},
		{fmt.Errorf("Container x is already paused: %w", errdefs.ErrConflict), adapters.ErrConflict, false},
		{fmt.Errorf("write /x: no space left on device: %w", errdefs.ErrInternal), adapters.ErrExhausted, false},
		{fmt.Errorf("no words: %w", errdefs.ErrInternal), adapters.ErrInternal, false},
		{fmt.Errorf("no words: %w", errdefs.ErrInvalidArgument), adapters.ErrInvalid, false},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), adapters.ErrUnavailable, true},
		{context.DeadlineExceeded, adapters.ErrTimeout, true},
		{context.Canceled, context.Canceled, true},
	} {
		got := mapError(c.err)
		if !errors.Is(got, c.kind) || !errors.Is(got, c.err) || local.Unanswered(got) != c.unanswered {
			t.Errorf("%v: %#v", c.err, got)
		}
	}
}
