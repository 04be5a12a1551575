//go:build containers_image_openpgp

package main

import (
	"context"
	"fmt"

	"github.com/quixand/quixand/pkg/quixand"
)

// benchStreams: what the server holds for streams on which nothing happens, each
// the output of a silent process.
func benchStreams(ctx context.Context, b *bench, s *server) error {
	const perSandbox = 25
	attached, detach := context.WithCancel(ctx)
	defer detach()
	var boxes []*quixand.Sandbox
	for len(boxes)*perSandbox < b.streams {
		sb, err := s.sandbox(ctx, s.client)
		if err != nil {
			return err
		}
		defer discard(ctx, sb)
		if err := runTrue(ctx, sb); err != nil {
			return err
		}
		boxes = append(boxes, sb)
	}
	before := s.residentKiB()
	for _, sb := range boxes {
		if err := attach(attached, sb, perSandbox); err != nil {
			return err
		}
	}
	grown := float64(s.residentKiB()-before) / 1024
	what := fmt.Sprintf("qs serve, %d idle streams", len(boxes)*perSandbox)
	b.report(what, "MiB", samples{grown}, "", nil, atMost(50, "MiB"))
	return nil
}

// attach starts a silent process, and attaches to it so many times in all.
func attach(ctx context.Context, sb *quixand.Sandbox, times int) error {
	silent := sb.Command("sleep", "infinity")
	if err := silent.Start(ctx); err != nil {
		return err
	}
	for range times - 1 {
		if _, err := sb.Attach(ctx, quixand.ProcessRef{PID: silent.Process.PID}, nil); err != nil {
			return err
		}
	}
	return nil
}
