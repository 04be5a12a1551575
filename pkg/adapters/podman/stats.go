package podman

import (
	"context"
	"slices"
	"sync"

	"github.com/quixand/quixand/pkg/adapters"
)

// Stats tells what a container has written, and its memory where a cgroup
// controller counts it.
func (e *engine) Stats(ctx context.Context, id string) (*adapters.Stats, error) {
	stats := &adapters.Stats{MemoryBytes: -1, DiskBytes: -1}
	var both sync.WaitGroup
	if slices.Contains(e.host.controllers(), "memory") {
		both.Go(func() {
			if memory, err := e.memoryOf(ctx, id); err == nil && memory > 0 {
				stats.MemoryBytes = memory
			}
		})
	}
	written, err := e.sizeOf(ctx, id)
	both.Wait()
	if err != nil {
		return nil, err
	}
	stats.DiskBytes = written
	return stats, nil
}
