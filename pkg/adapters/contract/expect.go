package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/go-hclog"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gcustom"
	gtypes "github.com/onsi/gomega/types"

	"github.com/quixand/quixand/pkg/adapters"
)

var quiet = hclog.NewNullLogger()

// failAs matches an error that is of exactly this kind, and is an
// *adapters.Error that errors.As finds.
func failAs(kind error) gtypes.GomegaMatcher {
	return gcustom.MakeMatcher(func(err error) (bool, error) {
		var e *adapters.Error
		if !errors.As(err, &e) {
			return false, nil
		}
		for _, k := range kinds {
			if errors.Is(err, k) != (k == kind) { //nolint:errorlint // kinds are one and the same value
				return false, nil
			}
		}
		return e.Error() != "", nil
	}).WithMessage(fmt.Sprintf("be an *adapters.Error of the kind %q and no other", kind))
}

var kinds = []error{
	adapters.ErrNotFound, adapters.ErrExists, adapters.ErrInvalid, adapters.ErrPermission, adapters.ErrTimeout,
	adapters.ErrExhausted, adapters.ErrConflict, adapters.ErrUnsupported, adapters.ErrUnavailable, adapters.ErrInternal,
}

// eventually is Eventually for as long as ctx. Gomega takes a context as its first
// argument, too, but then formats the second one, which is a race with those
// who write to it.
func eventually(ctx context.Context, actual any) gtypes.AsyncAssertion {
	GinkgoHelper()
	return Eventually(actual).WithContext(ctx)
}

// sameAs matches an Info that says the same: it may have travelled as text, and be
// of another moment.
func sameAs(want *adapters.Info) gtypes.GomegaMatcher {
	text := func(info *adapters.Info) ([]byte, error) {
		timeless := *info
		timeless.Age = 0
		return json.Marshal(timeless)
	}
	wanted, err := text(want)
	return WithTransform(func(info *adapters.Info) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return text(info)
	}, MatchJSON(wanted))
}

// inParallel calls do n times at once and waits for all of them.
func inParallel(n int, do func(i int)) {
	GinkgoHelper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			defer GinkgoRecover()
			do(i)
		})
	}
	wg.Wait()
}
