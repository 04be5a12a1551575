package podman

import (
	"context"
	"slices"
	"sync"

	"github.com/quixand/quixand/pkg/adapters"
)

// Stats asks the engine for what the agent cannot know, or what is not to be
// left to the agent's word: what the container has written, and its memory
// where a cgroup controller counts it.
func (a *Adapter) Stats(ctx context.Context, id string) (*adapters.Stats, error) {
	conn, s, err := a.existing(ctx, id)
	if err != nil {
		return nil, err
	}
	stats := &adapters.Stats{MemoryBytes: -1, DiskBytes: -1}
	var both sync.WaitGroup
	if slices.Contains(a.host.controllers(), "memory") {
		both.Go(func() {
			if memory, err := conn.memoryOf(ctx, s.ID); err == nil && memory > 0 {
				stats.MemoryBytes = memory
			}
		})
	}
	var written int64
	both.Go(func() { written, err = conn.sizeOf(ctx, s.ID) })
	both.Wait()
	if err != nil {
		return nil, mapError(err)
	}
	stats.DiskBytes = written
	return stats, nil
}
