package local

import (
	"context"

	"github.com/quixand/quixand/pkg/adapters"
)

// Stats asks the engine for what the agent cannot know, or what is not to be
// left to the agent's word.
func (a *Adapter) Stats(ctx context.Context, id string) (*adapters.Stats, error) {
	s, err := a.existing(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.engine.Stats(ctx, s.ID)
}
