//go:build containers_image_openpgp

package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

// forkExec is the floor: a process on the host, without any sandbox.
func forkExec() error { return exec.Command("true").Run() }

func runTrue(ctx context.Context, sb *quixand.Sandbox) error {
	res, err := sb.Run(ctx, "true")
	if err == nil && !res.Success() {
		err = fmt.Errorf("true: exit code %d", res.ExitCode)
	}
	return err
}

// benchExec: one command in a live sandbox.
func benchExec(ctx context.Context, b *bench) error {
	sb, id, end, err := b.pair(ctx)
	if err != nil {
		return err
	}
	defer end()
	ours := func() error { return runTrue(ctx, sb) }

	t, err := inTurn(b.n(500), ours, forkExec)
	if err != nil {
		return err
	}
	b.report("exec", "ms", t[0], "fork+exec", t[1], ratioAtMost(2))

	t, err = inTurn(b.n(30), ours, func() error { return b.engine.exec(id) }, command(ctx, "podman", "exec", id, "true"))
	if err != nil {
		return err
	}
	b.report("exec", "ms", t[0], "REST exec", t[1], ratioAtMost(0.04))
	b.report("exec", "ms", t[0], "podman exec", t[2], noTarget)
	return nil
}

// benchProcess: qs as a process, as a person or a script runs it.
func benchProcess(ctx context.Context, b *bench) error {
	sb, id, end, err := b.pair(ctx)
	if err != nil {
		return err
	}
	defer end()
	t, err := inTurn(b.n(30),
		command(ctx, b.qs, "sandbox", "exec", sb.ID(), "--", "true"),
		command(ctx, "podman", "exec", id, "true"))
	if err != nil {
		return err
	}
	b.report("qs sandbox exec", "ms", t[0], "podman exec", t[1], ratioAtMost(0.25))

	t, err = inTurn(b.n(50), command(ctx, b.qs, "--help"), forkExec)
	if err != nil {
		return err
	}
	b.report("qs --help", "ms", t[0], "", nil, atMost(25, "ms"))

	// Both leave a clean-up of the engine's behind that runs on for a while, and
	// would be in the way of whoever comes next.
	t, err = inTurnAfter(awaitCleanups, b.n(15),
		command(ctx, b.qs, "run", "--", "true"),
		command(ctx, "podman", "run", "--rm", b.image, "true"))
	if err != nil {
		return err
	}
	b.report("qs run -- true", "ms", t[0], "podman run --rm", t[1], ratioAtMost(0.8))
	return nil
}

// benchConcurrent: many commands at once, and as many as go in a while.
func benchConcurrent(ctx context.Context, b *bench) error {
	sb, kill, err := b.sandbox(ctx)
	if err != nil {
		return err
	}
	defer kill()
	const many = 200
	t, err := inTurn(b.n(10),
		func() error { return atOnce(many, func() error { return runTrue(ctx, sb) }) },
		func() error { return atOnce(many, forkExec) })
	if err != nil {
		return err
	}
	b.report("200 commands at once", "ms", t[0], "200 fork+exec", t[1], noTarget)

	for _, workers := range []int{1, 8} {
		ours, err := perSecond(workers, func() error { return runTrue(ctx, sb) })
		if err != nil {
			return err
		}
		theirs, err := perSecond(workers, forkExec)
		if err != nil {
			return err
		}
		b.report(fmt.Sprintf("commands per second, %d callers", workers), "/s", samples{ours}, "fork+exec", samples{theirs}, noTarget)
	}
	return nil
}

// atOnce calls fn n times concurrently and returns one of the errors.
func atOnce(n int, fn func() error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for range n {
		wg.Go(func() { errs <- fn() })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// perSecond lets the workers call fn for some seconds.
func perSecond(workers int, fn func() error) (float64, error) {
	const span = 3 * time.Second
	var calls atomic.Int64
	start := time.Now()
	err := atOnce(workers, func() error {
		for time.Since(start) < span {
			if err := fn(); err != nil {
				return err
			}
			calls.Add(1)
		}
		return nil
	})
	return float64(calls.Load()) / time.Since(start).Seconds(), err
}

// benchPTY: from a key press to its echo.
func benchPTY(ctx context.Context, b *bench) error {
	sb, kill, err := b.sandbox(ctx)
	if err != nil {
		return err
	}
	defer kill()
	pty, err := sb.PTY(ctx, &quixand.PTYOptions{Command: []string{"cat"}})
	if err != nil {
		return err
	}
	defer pty.Close()
	key := []byte("x")
	t, err := inTurn(b.n(500), func() error {
		if _, err := pty.Write(key); err != nil {
			return err
		}
		_, err := io.ReadFull(pty, make([]byte, 1))
		return err
	})
	if err != nil {
		return err
	}
	b.report("PTY echo", "ms", t[0], "", nil, atMost(0.5, "ms"))
	return nil
}

// benchIdle: the first command after nothing happened for a while.
func benchIdle(ctx context.Context, b *bench) error {
	waits := []time.Duration{0}
	if b.idle {
		waits = append(waits, 60*time.Second, 360*time.Second)
	}
	sb, err := b.client.Create(ctx, &quixand.Options{Timeout: 15 * time.Minute})
	if err != nil {
		return err
	}
	defer discard(ctx, sb)
	for _, wait := range waits {
		if err := runTrue(ctx, sb); err != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		t, err := once(func() error { return runTrue(ctx, sb) })
		if err != nil {
			return err
		}
		ref, err := once(forkExec)
		if err != nil {
			return err
		}
		b.report(fmt.Sprintf("first command after %s idle", wait), "ms", t, "fork+exec", ref, noTarget)
	}
	return nil
}

func once(fn func() error) (samples, error) {
	var s samples
	start := time.Now()
	err := fn()
	s.add(time.Since(start))
	return s, err
}
