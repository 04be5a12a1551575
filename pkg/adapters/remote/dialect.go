package remote

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// dialect is what servers differ in.
type dialect interface {
	create(ctx context.Context, spec *adapters.Spec) (*sandbox, error)
	get(ctx context.Context, id string) (*sandbox, error)
	list(ctx context.Context, filter adapters.Filter) ([]*sandbox, error)
	kill(ctx context.Context, id string, opts adapters.KillOptions) error
	setDeadline(ctx context.Context, id string, idle time.Duration) error
	pause(ctx context.Context, id string) error
	resume(ctx context.Context, id string) error
	rename(ctx context.Context, id, name string) error
	snapshot(ctx context.Context, id, name string) (*adapters.Snapshot, error)
	snapshots(ctx context.Context) ([]*adapters.Snapshot, error)
	removeSnapshot(ctx context.Context, name string) error
	stats(ctx context.Context, id string) (*adapters.Stats, error)

	events(ctx context.Context, since time.Time, receive func(adapters.Event) bool) error
	ended(ctx context.Context, id string, wait bool) (*adapters.Ended, error)
	allEnded(ctx context.Context) ([]*adapters.Ended, error)

	// hello tells what answers.
	hello(ctx context.Context) (string, error)
	// dataPlane is where a sandbox's port is reached.
	dataPlane(id string, port int, p pass) place
	// standIn answers for an agent what that does not know, or not at all.
	standIn(req *http.Request, id string) (*http.Response, error)
}

// sandbox is what a server tells of one.
type sandbox struct {
	info adapters.Info
	pass pass
}

// selects is for what servers do not select.
func selects(f *adapters.Filter, info *adapters.Info) bool {
	if !f.AllRoots && info.Root != f.Root || f.States != nil && !slices.Contains(f.States, info.State) {
		return false
	}
	for k, v := range f.Metadata {
		if got, ok := info.Metadata[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// ask makes a call in the server's dialect. It is taken for a Quixand until it
// turns out not to know our paths.
func ask[T any](a *Adapter, call func(dialect) (T, error)) (T, error) {
	if a.foreign.Load() {
		return call(a.e2b)
	}
	result, err := call(a.own)
	if errors.Is(err, errForeign) {
		a.foreign.Store(true)
		return call(a.e2b)
	}
	return result, err
}

// tell is ask for calls without a result.
func tell(a *Adapter, call func(dialect) error) error {
	_, err := ask(a, func(d dialect) (struct{}, error) { return struct{}{}, call(d) })
	return err
}
