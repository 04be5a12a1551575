package remote

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// silence is how long a stream of events may say nothing, not even that it lives.
const silence = 3 * serverapi.Heartbeat

// events passes on what happens until the connection ends.
func (o *own) events(ctx context.Context, since time.Time, receive func(adapters.Event) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &request{method: http.MethodGet, path: serverapi.PathEvents, query: make(url.Values), header: o.header(), repeat: true}
	if !since.IsZero() {
		r.query.Set("since", since.Format(time.RFC3339Nano))
	}
	deaf := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer deaf.Stop()
	res, err := o.send(ctx, r)
	if err != nil {
		return brokenError(ctx, err)
	}
	defer res.Body.Close()
	return readLines(ctx, res.Body, func(event *adapters.Event) (more bool, err error) {
		deaf.Stop() // the receiver may take its time
		more = event == nil || receive(*event)
		deaf.Reset(silence)
		return more, nil
	})
}

var errSilent = &adapters.Error{Kind: adapters.ErrUnavailable, Err: errors.New("the server has been silent for too long")}

// ended asks how a sandbox has ended. With wait, nothing means that it has not
// for a while.
func (o *own) ended(ctx context.Context, id string, wait bool) (*adapters.Ended, error) {
	query := make(url.Values)
	if wait {
		query.Set("wait", "1")
	}
	var e adapters.Ended
	if err := o.ask(ctx, ownPath(serverapi.PathEnded, id), query, &e); err != nil {
		return nil, err
	}
	if e.ID == "" {
		return nil, nil
	}
	return o.remembered(&e), nil
}

func (o *own) remembered(e *adapters.Ended) *adapters.Ended {
	e.Adapter = Name
	e.Root = o.rootOf(e.Root)
	return e
}

func (o *own) allEnded(ctx context.Context) ([]*adapters.Ended, error) {
	var all []*adapters.Ended
	if err := o.ask(ctx, serverapi.PathAllEnded, nil, &all); err != nil {
		return nil, err
	}
	for i, e := range all {
		all[i] = o.remembered(e)
	}
	return all, nil
}
