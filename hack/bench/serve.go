//go:build containers_image_openpgp

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/quixand/quixand/pkg/quixand"
)

// withServer makes a group of what needs a qs serve. Each has one of its own.
func withServer(run func(context.Context, *bench, *server) error) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		s, err := b.serve(ctx)
		if err != nil {
			return err
		}
		return errors.Join(run(ctx, b, s), s.stop())
	}
}

// benchServe: what qs serve puts between a client and a sandbox, by the same calls of the library on the same sandbox, straight and
// through the server.
func benchServe(ctx context.Context, b *bench, s *server) error {
	straight, through, err := b.sandboxOf(ctx, s)
	if err != nil {
		return err
	}
	defer discard(ctx, straight)
	t, err := inTurn(b.n(500),
		func() error { return runTrue(ctx, straight) },
		func() error { return runTrue(ctx, through) },
		forkExec)
	if err != nil {
		return err
	}
	b.report("exec through qs serve", "ms", t[1], "exec", t[0], noTarget)
	b.report("of that, the server's", "ms", t[1].less(t[0]), "", nil, atMost(1.5, "ms"))

	local := filepath.Join(b.tmp, "passage")
	defer os.Remove(local)
	if err := fill(local, large); err != nil {
		return err
	}
	put := func(sb *quixand.Sandbox) func() error {
		return func() error { return sb.Files.Put(ctx, local, "large", nil) }
	}
	read := func(sb *quixand.Sandbox) func() error {
		return func() error { return drain(sb.Files.Open(ctx, "large")) }
	}
	t, err = inTurn(b.n(10), put(straight), put(through), read(straight), read(through))
	if err != nil {
		return err
	}
	const asFast = 1 / 0.6
	b.report("256 MiB up through qs serve", "ms", t[1], "256 MiB up", t[0], ratioAtMost(asFast))
	b.report("256 MiB read through qs serve", "ms", t[3], "256 MiB read", t[2], ratioAtMost(asFast))
	return nil
}

// sandboxOf gives a sandbox of the server's: straight, and through the server.
func (b *bench) sandboxOf(ctx context.Context, s *server) (straight, through *quixand.Sandbox, err error) {
	through, err = s.client.Create(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	straight, err = b.client.Connect(ctx, through.ID())
	if err != nil {
		discard(ctx, through)
	}
	return straight, through, err
}
