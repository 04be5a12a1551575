package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// phase runs one step of a creation in a time budget of its own, reports it,
// and puts its name into what went wrong.
func phase(ctx context.Context, spec *adapters.Spec, name adapters.Phase, budget time.Duration, run func(context.Context) error) error {
	began := time.Now()
	report := func(p adapters.Progress) {
		if spec.Progress != nil {
			p.Phase, p.Elapsed = name, time.Since(began)
			spec.Progress(p)
		}
	}
	report(adapters.Progress{})
	exceeded := fmt.Errorf("took longer than %v: %w", budget, context.DeadlineExceeded)
	bounded, cancel := context.WithTimeoutCause(ctx, budget, exceeded)
	defer cancel()
	if err := run(bounded); err != nil {
		return phaseError(ctx, bounded, name, err)
	}
	report(adapters.Progress{Done: true})
	return nil
}

// phaseError says whose time was up where it was: the caller's, or the
// phase's own.
func phaseError(caller, bounded context.Context, name adapters.Phase, err error) error {
	switch {
	case caller.Err() != nil:
		err = context.Cause(caller)
	case bounded.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		err = context.Cause(bounded)
	}
	e := *mapped(err)
	e.Phase = name
	return &e
}
