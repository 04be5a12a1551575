package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

func TestExitCode(t *testing.T) {
	kind := func(k error) error { return &quixand.Error{Op: "test", Kind: k} }
	result := func(code int, sig syscall.Signal) error {
		return resultStatus(&quixand.Result{ExitCode: code, Signal: sig})
	}
	for _, c := range []struct {
		err           error
		code, passing int
	}{
		{nil, 0, 0},
		{errors.New("other"), 1, 125},
		{usagef("bad"), 2, 125},
		{kind(quixand.ErrInvalid), 1, 125},
		{kind(quixand.ErrNotFound), 3, 125},
		{errors.Join(errors.New("other"), kind(quixand.ErrNotFound)), 3, 125},
		{kind(quixand.ErrUnavailable), 4, 125},
		{kind(quixand.ErrTimeout), 124, 124},
		{fmt.Errorf("waiting: %w", context.DeadlineExceeded), 124, 124},
		{&invocation{kind(quixand.ErrNotFound)}, 3, 125},
		{&invocation{kind(quixand.ErrPermission)}, 1, 126},
		{&invocation{kind(quixand.ErrInvalid)}, 1, 126},
		{&invocation{kind(quixand.ErrUnavailable)}, 4, 125},
		{interrupted{syscall.SIGINT}, 130, 130},
		{interrupted{syscall.SIGTERM}, 143, 143},
		{fmt.Errorf("copy: %w", &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}), 141, 141},
		{&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}, 1, 125},
		{result(0, 0), 0, 0},
		{result(3, 0), 3, 3},
		{result(-1, syscall.SIGKILL), 137, 137},
		{result(-1, 0), 255, 255},
		{result(256, 0), 1, 1},
		{result(-1, 128), 1, 1},
	} {
		if got := exitCode(&cobra.Command{}, c.err); got != c.code {
			t.Errorf("exit code of %v: %d, want %d", c.err, got, c.code)
		}
		if got := exitCode(&cobra.Command{Annotations: passing()}, c.err); got != c.passing {
			t.Errorf("exit code of a passing verb with %v: %d, want %d", c.err, got, c.passing)
		}
	}
}
