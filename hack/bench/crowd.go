//go:build containers_image_openpgp

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// benchCrowd: many sandboxes at once. Half of them are created at the same
// moment and the rest by a few, so that the engine is not measured alone.
func benchCrowd(ctx context.Context, b *bench) error {
	c := &crowd{bench: b}
	defer c.end(context.WithoutCancel(ctx))
	if err := c.grow(ctx, b.crowd/2, b.crowd/2); err != nil {
		return err
	}
	b.report(fmt.Sprintf("create, %d at once", b.crowd/2), "ms", c.created, "", nil, noTarget)
	b.report(fmt.Sprintf("of %d at once, failed", b.crowd/2), "", samples{float64(c.failed.Load())}, "", nil, noTarget)
	if err := c.grow(ctx, b.crowd-c.size(), 4); err != nil {
		return err
	}
	what := fmt.Sprintf("qs ls, %d sandboxes", c.size())
	times, err := inTurn(b.n(20), command(ctx, b.qs, "ls"), command(ctx, "podman", "ps"))
	if err != nil {
		return err
	}
	b.report(what, "ms", times[0], "podman ps", times[1], ratioAtMost(1.5))
	return c.benchLostState(ctx)
}

// benchLostState deletes what is kept on disk about the sandboxes, and lists them.
func (c *crowd) benchLostState(ctx context.Context) error {
	var took samples
	for range c.n(5) {
		if err := os.RemoveAll(statedir.Open(c.client.Root()).Path()); err != nil {
			return err
		}
		start := time.Now()
		infos, err := c.client.List(ctx, &quixand.ListOptions{Metadata: crowdMark})
		if err != nil {
			return err
		}
		took.add(time.Since(start))
		if !c.isAll(infos) {
			return fmt.Errorf("list without state: %d sandboxes, not the %d that there are", len(infos), c.size())
		}
	}
	c.report(fmt.Sprintf("list, %d sandboxes, state lost", c.size()), "ms", took, "", nil, atMost(1000, "ms"))
	var back samples
	for _, sb := range c.boxes[:min(20, c.size())] {
		start := time.Now()
		again, err := c.client.Connect(ctx, sb.ID())
		if err != nil {
			return err
		}
		if err := runTrue(ctx, again); err != nil {
			return err
		}
		back.add(time.Since(start))
	}
	c.report("first command, state lost", "ms", back, "", nil, noTarget)
	return nil
}

// crowd is many sandboxes.
type crowd struct {
	*bench
	mu      sync.Mutex
	boxes   []*quixand.Sandbox
	created samples
	failed  atomic.Int64
}

var crowdMark = map[string]string{"qs.bench": "crowd"}

func (c *crowd) size() int { return len(c.boxes) }

// grow creates n sandboxes, some at a time. Each is usable, or its creation fails
// with an error of a kind.
func (c *crowd) grow(ctx context.Context, n, atATime int) error {
	turns := make(chan struct{}, atATime)
	return atOnce(n, func() error {
		turns <- struct{}{}
		defer func() { <-turns }()
		start := time.Now()
		sb, err := c.client.Create(ctx, &quixand.Options{Metadata: crowdMark, Network: quixand.NetworkNone})
		if err != nil {
			c.failed.Add(1)
			fmt.Fprintln(os.Stderr, "bench:", err)
			if adapters.KindOf(err) == nil {
				return fmt.Errorf("an error of no kind: %w", err)
			}
			return nil
		}
		if err := runTrue(ctx, sb); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.created.add(time.Since(start))
		c.boxes = append(c.boxes, sb)
		return nil
	})
}

// isAll reports whether a list has exactly the crowd.
func (c *crowd) isAll(infos []*quixand.Info) bool {
	var want, got []string
	for _, sb := range c.boxes {
		want = append(want, sb.ID())
	}
	for _, info := range infos {
		got = append(got, info.ID)
	}
	slices.Sort(want)
	slices.Sort(got)
	return slices.Equal(want, got)
}

func (c *crowd) end(ctx context.Context) {
	for _, sb := range c.boxes {
		discard(ctx, sb)
	}
}
