package quixand

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// Metrics is what a sandbox uses. Where the engine measures the same as the
// agent, which is the sandbox's, the engine is believed.
type Metrics struct {
	Time        time.Time `json:"time"`
	CPUCount    int       `json:"cpuCount"`   // that the sandbox can use at once
	CPUPercent  float64   `json:"cpuPercent"` // of one CPU, since somebody asked last
	MemoryUsed  int64     `json:"memoryUsed"` // bytes, as all that follow; caches aside
	MemoryTotal int64     `json:"memoryTotal"`
	MemoryCache int64     `json:"memoryCache"`
	DiskUsed    int64     `json:"diskUsed"`  // written by the sandbox, its image aside; -1: not known
	DiskTotal   int64     `json:"diskTotal"` // that it can use
	Processes   int       `json:"processes"`
}

// Metrics tells what the sandbox uses now. Asking does not keep it from being
// idle.
func (s *Sandbox) Metrics(ctx context.Context) (*Metrics, error) {
	m, err := s.measure(ctx)
	return m, s.wrap(ctx, "metrics", err)
}

// WatchMetrics tells what the sandbox uses, now and every interval, which is
// at least 100 ms, until ctx ends or after the first error.
func (s *Sandbox) WatchMetrics(ctx context.Context, interval time.Duration) iter.Seq2[*Metrics, error] {
	return func(yield func(*Metrics, error) bool) {
		if interval < minInterval {
			yield(nil, s.client.wrap("metrics", s.id, invalid("interval of %v is shorter than %v", interval, minInterval)))
			return
		}
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			m, err := s.Metrics(ctx)
			if ctx.Err() != nil || !yield(m, err) || err != nil {
				return
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// minInterval keeps a stream of metrics from becoming what it measures.
const minInterval = 100 * time.Millisecond

// measure asks the agent and the engine at the same time.
func (s *Sandbox) measure(ctx context.Context) (*Metrics, error) {
	ctx, done := s.unlessPaused(ctx)
	defer done()
	engine := make(chan *adapters.Stats, 1)
	go func() { engine <- s.engineStats(ctx) }()
	u, err := s.agent.Usage(ctx)
	if err != nil {
		done()
	}
	stats := <-engine
	if e, ok := errors.AsType[*Error](context.Cause(ctx)); ok && err != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	m := &Metrics{
		Time:        time.Now(),
		CPUCount:    u.CPUCount,
		CPUPercent:  u.CPUPercent,
		MemoryUsed:  u.MemoryUsed,
		MemoryTotal: u.MemoryTotal,
		MemoryCache: u.MemoryCache,
		DiskUsed:    max(u.DiskUsed, -1),
		DiskTotal:   u.DiskTotal,
		Processes:   u.Processes,
	}
	m.believe(stats)
	return m, nil
}

// engineStats is what the engine measures, or nil where it does not.
func (s *Sandbox) engineStats(ctx context.Context) *adapters.Stats {
	reader, ok := s.client.adapter.(adapters.StatsReader)
	if !ok {
		return nil
	}
	stats, err := reader.Stats(ctx, s.id)
	if err != nil {
		s.client.cfg.Logger.Debug("the engine measures nothing", "sandbox", s.id, "error", err)
		return nil
	}
	return stats
}

func (m *Metrics) believe(engine *adapters.Stats) {
	if engine == nil {
		return
	}
	if engine.MemoryBytes >= 0 {
		m.MemoryUsed = engine.MemoryBytes
	}
	if engine.DiskBytes >= 0 {
		if m.DiskUsed < 0 { // and the total is what is free
			m.DiskTotal += engine.DiskBytes
		}
		m.DiskUsed = engine.DiskBytes
	}
}
