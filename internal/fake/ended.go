package fake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/tombstone"
	"github.com/quixand/quixand/pkg/adapters"
)

// epitaph is what to remember of a box however it ended.
func (b *box) epitaph() *adapters.Ended {
	return &adapters.Ended{
		ID: b.info.ID, Name: b.info.Name, Adapter: Name, Root: b.info.Root, Image: b.info.Image, Metadata: b.info.Metadata,
		Created: b.info.Created, Time: time.Now(),
	}
}

// buryKilled remembers a box that is about to be killed.
func (b *box) buryKilled(opts adapters.KillOptions) error {
	e := b.epitaph()
	e.Reason, e.By, e.Output = opts.Reason, opts.By, b.agent.End(nil, 0).Output
	return tombstone.Open(b.info.Root).Bury(e)
}

// buryEnded remembers a box that has ended by itself.
func (b *box) buryEnded(end agentapi.End) error {
	e := b.epitaph()
	e.Reason, e.Detail, e.Output = adapters.Reason(end.Reason), end.Detail, end.Output
	e.ExitCode = new(agentapi.ExitDeadline)
	return tombstone.Open(b.info.Root).BuryOnce(e)
}

// Ended implements [adapters.Historian].
func (a *Adapter) Ended(_ context.Context, id string) (*adapters.Ended, error) {
	if b, err := a.engine.find(id); err == nil {
		if b.describe().State == adapters.StateStopped {
			<-b.served // it is remembered then
			return tombstone.Open(a.root).Find(id)
		}
		return nil, &adapters.Error{Kind: adapters.ErrNotFound, Err: errors.New("the sandbox has not ended")}
	}
	e, err := tombstone.Open(a.root).Find(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &adapters.Error{Kind: adapters.ErrNotFound, Err: fmt.Errorf("no sandbox %s", id)}
	}
	return e, err
}

// AwaitEnded implements [adapters.Historian].
func (a *Adapter) AwaitEnded(ctx context.Context, id string) (*adapters.Ended, error) {
	if b, err := a.engine.find(id); err == nil {
		select {
		case <-b.served:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return a.Ended(ctx, id)
}

// AllEnded implements [adapters.Historian].
func (a *Adapter) AllEnded(context.Context) ([]*adapters.Ended, error) {
	return tombstone.Open(a.root).All()
}
