//go:build containers_image_openpgp

package main

import (
	"context"
	"fmt"

	"github.com/quixand/quixand/pkg/quixand"
)

// benchStreams: what the server holds for sandboxes and for streams on which
// nothing happens, each the output of a silent process. Its memory is that of a
// server that has just started, and of what the garbage collector has left, too.
func benchStreams(ctx context.Context, b *bench, s *server) error {
	before := s.residentKiB()
	grown := func() samples { return samples{float64(s.residentKiB()-before) / 1024} }
	attached, detach := context.WithCancel(ctx)
	defer detach()
	var boxes []*quixand.Sandbox
	for range b.streams / b.perSandbox {
		sb, err := s.client.Create(ctx, nil)
		if err != nil {
			return err
		}
		defer discard(ctx, sb)
		boxes = append(boxes, sb)
	}
	b.report(fmt.Sprintf("qs serve, %d sandboxes", len(boxes)), "MiB", grown(), "", nil, noTarget)
	for _, sb := range boxes {
		if err := attach(attached, sb, b.perSandbox); err != nil {
			return err
		}
	}
	what := fmt.Sprintf("qs serve, %d idle streams of them", len(boxes)*b.perSandbox)
	b.report(what, "MiB", grown(), "", nil, atMost(50, "MiB"))
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
