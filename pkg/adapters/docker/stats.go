package docker

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/pkg/adapters"
)

// Stats tells what a container has written, and its memory where a cgroup
// controller counts it.
func (e *engine) Stats(ctx context.Context, id string) (*adapters.Stats, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	stats := &adapters.Stats{MemoryBytes: -1, DiskBytes: -1}
	var both sync.WaitGroup
	both.Go(func() {
		if memory, err := conn.memoryOf(ctx, id); err == nil && memory > 0 {
			stats.MemoryBytes = memory
		}
	})
	told, err := conn.ContainerInspect(ctx, id, client.ContainerInspectOptions{Size: true})
	both.Wait()
	if err != nil {
		return nil, mapError(err)
	}
	if told.Container.SizeRw != nil {
		stats.DiskBytes = *told.Container.SizeRw
	}
	return stats, nil
}

// memoryOf returns how much memory a container uses, caches aside.
func (c *connection) memoryOf(ctx context.Context, id string) (int64, error) {
	answer, err := c.ContainerStats(ctx, id, client.ContainerStatsOptions{})
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var told container.StatsResponse
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
		return 0, err
	}
	used := told.MemoryStats.Usage
	// The first is cgroup v1's name of it, the other one v2's.
	for _, cache := range []string{"total_inactive_file", "inactive_file"} {
		if n, ok := told.MemoryStats.Stats[cache]; ok {
			return int64(used - min(n, used)), nil
		}
	}
	return int64(used), nil
}
