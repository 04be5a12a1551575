package filesystem

import (
	"context"
	"errors"
	"io/fs"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"
)

// codes is the one table from what the kernel says to Connect codes.
var codes = []struct {
	err  error
	code connect.Code
}{
	{fs.ErrNotExist, connect.CodeNotFound},
	{unix.ENOTEMPTY, connect.CodeFailedPrecondition}, // Go counts it among fs.ErrExist
	{fs.ErrExist, connect.CodeAlreadyExists},
	{fs.ErrPermission, connect.CodePermissionDenied},
	{unix.EROFS, connect.CodePermissionDenied},
	{unix.ELOOP, connect.CodeFailedPrecondition},
	{unix.ENOTDIR, connect.CodeInvalidArgument},
	{unix.EISDIR, connect.CodeInvalidArgument},
	{unix.EINVAL, connect.CodeInvalidArgument},
	{unix.ENAMETOOLONG, connect.CodeInvalidArgument},
	{unix.EBUSY, connect.CodeFailedPrecondition},
	{unix.ENOSPC, connect.CodeResourceExhausted},
	{unix.EDQUOT, connect.CodeResourceExhausted},
	{unix.EMFILE, connect.CodeResourceExhausted},
	{unix.ENFILE, connect.CodeResourceExhausted},
	{context.DeadlineExceeded, connect.CodeDeadlineExceeded},
	{context.Canceled, connect.CodeCanceled},
}

func connectError(err error) error {
	if _, ok := errors.AsType[*connect.Error](err); ok {
		return err
	}
	for _, row := range codes {
		if errors.Is(err, row.err) {
			return connect.NewError(row.code, err)
		}
	}
	return connect.NewError(connect.CodeInternal, err)
}

func invalid(err error) error { return connect.NewError(connect.CodeInvalidArgument, err) }
