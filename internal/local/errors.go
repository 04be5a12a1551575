package local

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/adapters"
)

// mapError gives an error that the engine has not mapped its kind.
func (a *Adapter) mapError(err error) error {
	if err == nil {
		return nil
	}
	e := *mapped(err)
	if e.Adapter == "" {
		e.Adapter = a.name
	}
	return &e
}

// mapped is for what is an error for sure.
func mapped(err error) *adapters.Error {
	if mapped, ok := errors.AsType[*adapters.Error](err); ok {
		return mapped
	}
	e := &adapters.Error{Kind: adapters.ErrInternal, Err: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Kind = nil
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind = adapters.ErrTimeout
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		e.Kind, e.Hint = adapters.ErrExhausted, "free some disk space"
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		e.Kind, e.Hint = adapters.ErrExhausted, "raise the limit of open files: ulimit -n"
	case errors.Is(err, fs.ErrPermission):
		e.Kind = adapters.ErrPermission
	}
	return e
}
