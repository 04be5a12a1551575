package agentclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/pkg/adapters"
)

func TestMapError(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	expired, cancel := context.WithTimeout(context.Background(), -1)
	cancel()
	own := &adapters.Error{Kind: adapters.ErrConflict, Err: errors.New("paused")}
	for name, test := range map[string]struct {
		ctx  context.Context
		err  error
		kind error
		is   error
	}{
		"cancelled":         {ended, errors.New("x"), nil, context.Canceled},
		"expired":           {expired, errors.New("x"), adapters.ErrTimeout, context.DeadlineExceeded},
		"silent":            {nil, context.DeadlineExceeded, adapters.ErrUnavailable, nil},
		"the transport's":   {nil, connect.NewError(connect.CodeUnavailable, fmt.Errorf("dial: %w", own)), adapters.ErrConflict, own},
		"said":              {nil, connect.NewWireError(connect.CodeNotFound, errors.New("no")), adapters.ErrNotFound, nil},
		"said strangely":    {nil, connect.NewWireError(connect.CodeDataLoss, errors.New("no")), adapters.ErrInternal, nil},
		"refused":           {nil, connect.NewError(connect.CodeUnavailable, syscall.ECONNREFUSED), adapters.ErrUnavailable, syscall.ECONNREFUSED},
		"broken":            {nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}, adapters.ErrUnavailable, syscall.ECONNRESET},
		"short":             {nil, connect.NewError(connect.CodeInvalidArgument, io.ErrUnexpectedEOF), adapters.ErrUnavailable, nil},
		"not understood":    {nil, connect.NewError(connect.CodeInvalidArgument, errors.New("x")), adapters.ErrInternal, nil},
		"nothing in common": {nil, errors.New("x"), adapters.ErrInternal, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if test.ctx == nil {
				test.ctx = context.Background()
			}
			err := mapError(test.ctx, test.err)
			mapped, ok := errors.AsType[*adapters.Error](err)
			if !ok || mapped.Kind != test.kind {
				t.Errorf("%v is of kind %v, want %v", err, adapters.KindOf(err), test.kind)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
		})
	}
	if err := mapError(ended, nil); err != nil {
		t.Errorf("nil became %v", err)
	}
}

// TestCodes makes sure that no code is forgotten: Connect's codes are 1 to 16.
func TestCodes(t *testing.T) {
	internal := []connect.Code{connect.CodeCanceled, connect.CodeUnknown, connect.CodeInternal, connect.CodeDataLoss}
	if got := len(kinds) + len(internal); got != 16 {
		t.Errorf("%d codes have a kind", got)
	}
	for status, code := range statusCodes {
		if kinds[code] == nil {
			t.Errorf("status %d has no kind", status)
		}
	}
}
