package agentclient

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"

	"connectrpc.com/connect"
)

// isBroken reports whether err means that nobody answers, or that the
// connection ended in the middle: what a call meets whose sandbox is gone.
func isBroken(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, fs.ErrNotExist, http.ErrServerClosed} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// rootCause takes the words of the protocol's library off an error.
func rootCause(err error) error {
	if e, ok := errors.AsType[*connect.Error](err); ok && e.Unwrap() != nil {
		return e.Unwrap()
	}
	return err
}
