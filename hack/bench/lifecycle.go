//go:build containers_image_openpgp

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

// benchCreate: a sandbox from nothing to its first command answered, beside a
// bare container from nothing to started; and the end of both.
func benchCreate(ctx context.Context, b *bench) error {
	var ours, first, theirs, killed, removed samples
	for i := range b.n(30) + 1 {
		created, answered, dead, err := b.lifeOfSandbox(ctx, nil)
		if err != nil {
			return err
		}
		started, gone, err := b.lifeOfContainer()
		if err != nil {
			return err
		}
		if i == 0 {
			continue // warm-up
		}
		ours.add(created)
		first.add(answered)
		theirs.add(started)
		killed.add(dead)
		removed.add(gone)
	}
	b.report("create", "ms", ours, "REST create + start", theirs, noTarget)
	b.report("create to first command", "ms", first, "REST create + start", theirs, ratioAtMost(1.3))
	b.report("kill", "ms", killed, "REST remove --force", removed, ratioAtMost(1.5))
	b.report("kill", "ms", killed, "", nil, atMost(150, "ms"))

	const many = 20
	start := time.Now()
	err := atOnce(many, func() error {
		_, _, _, err := b.lifeOfSandbox(ctx, nil)
		return err
	})
	if err != nil {
		return err
	}
	all := samples{}
	all.add(time.Since(start))
	b.report(fmt.Sprintf("%d lives at once", many), "ms", all, "", nil, noTarget)
	return nil
}

func (b *bench) lifeOfSandbox(ctx context.Context, opts *quixand.Options) (created, answered, killed time.Duration, err error) {
	start := time.Now()
	sb, err := b.client.Create(ctx, opts)
	if err != nil {
		return 0, 0, 0, err
	}
	created = time.Since(start)
	err = runTrue(ctx, sb)
	answered = time.Since(start)
	start = time.Now()
	if kerr := sb.Kill(context.WithoutCancel(ctx)); err == nil {
		err = kerr
	}
	return created, answered, time.Since(start), err
}

func (b *bench) lifeOfContainer() (started, removed time.Duration, err error) {
	start := time.Now()
	id, err := b.engine.start(b.image)
	if err != nil {
		return 0, 0, err
	}
	started = time.Since(start)
	wait, err := b.engine.monitor(id)
	if err != nil {
		return 0, 0, err
	}
	start = time.Now()
	err = b.engine.remove(id)
	removed = time.Since(start)
	wait()
	return started, removed, err
}
