//go:build containers_image_openpgp

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"time"
)

// benchSDK: E2B's npm package, unmodified, beside the library.
func benchSDK(ctx context.Context, b *bench, s *server) error {
	if os.Getenv("QS_NODE_MODULES") == "" {
		fmt.Println("E2B's SDK: not measured, for QS_NODE_MODULES names no packages")
		return nil
	}
	node, err := b.startSDK(ctx, s)
	if err != nil {
		return err
	}
	defer node.end()
	for _, part := range []func(context.Context, *bench, *server, *sdk) error{sdkCreates, sdkCommands, sdkFiles} {
		if err := part(ctx, b, s, node); err != nil {
			return err
		}
	}
	return nil
}

func sdkCreates(ctx context.Context, b *bench, _ *server, node *sdk) error {
	usable := func(many int) func() (time.Duration, error) {
		return func() (time.Duration, error) { return b.untilUsable(ctx, many) }
	}
	container := func() (time.Duration, error) {
		started, _, err := b.lifeOfContainer()
		return started, err
	}
	t, err := timedInTurn(b.n(30), node.does("create", 1), usable(1), container)
	if err != nil {
		return err
	}
	b.report("SDK, create to first command", "ms", t[0], "library", t[1], noTarget)
	b.report("SDK, create to first command", "ms", t[0], "REST create + start", t[2], noTarget)
	b.report("SDK, create to first command", "ms", t[0], "", nil, atMost(100, "ms"))

	const many = 10
	t, err = timedInTurn(b.n(10), node.does("create", many), usable(many))
	if err != nil {
		return err
	}
	b.report("SDK, 10 created at once, usable", "ms", t[0], "library", t[1], noTarget)
	b.report("SDK, 10 created at once, usable", "ms", t[0], "", nil, atMost(400, "ms"))
	return nil
}

// untilUsable is how long it takes until each of so many sandboxes, created at
// once, has answered a command.
func (b *bench) untilUsable(ctx context.Context, many int) (time.Duration, error) {
	kills := make(chan func(), many)
	begin := time.Now()
	err := atOnce(many, func() error {
		sb, kill, err := b.sandbox(ctx)
		if err != nil {
			return err
		}
		kills <- kill
		return runTrue(ctx, sb)
	})
	took := time.Since(begin)
	close(kills)
	for kill := range kills {
		kill()
	}
	return took, err
}

func sdkCommands(ctx context.Context, b *bench, s *server, node *sdk) error {
	sb, _, err := b.sandboxOf(ctx, s)
	if err != nil {
		return err
	}
	defer discard(ctx, sb)
	if _, err := node.does("connect", sb.ID())(); err != nil {
		return err
	}
	login := func() error { // as the SDK has every command run
		res, err := sb.Run(ctx, "/bin/bash", "-l", "-c", "true")
		if err == nil && !res.Success() {
			err = fmt.Errorf("bash: exit code %d", res.ExitCode)
		}
		return err
	}
	t, err := timedInTurn(b.n(300), node.does("command"), node.does("fetch"), timed(login), timed(forkExec))
	if err != nil {
		return err
	}
	b.report("SDK, command", "ms", t[0], "the same by fetch", t[1], noTarget)
	b.report("SDK, command", "ms", t[0], "library, bash -l -c", t[2], noTarget)
	b.report("SDK, command", "ms", t[0], "fork+exec", t[3], noTarget)
	b.report("SDK, command", "ms", t[0], "", nil, atMost(5, "ms"))
	return nil
}

func sdkFiles(ctx context.Context, b *bench, s *server, node *sdk) error {
	sb, _, err := b.sandboxOf(ctx, s)
	if err != nil {
		return err
	}
	defer discard(ctx, sb)
	if _, err := node.does("connect", sb.ID())(); err != nil {
		return err
	}
	bare := httptest.NewServer(http.HandlerFunc(bare))
	defer bare.Close()
	data := make([]byte, sdkBytes)
	write := func() error { _, err := sb.Files.Write(ctx, "64MiB", data); return err }
	read := func() error { _, err := sb.Files.Read(ctx, "64MiB"); return err }
	t, err := timedInTurn(b.n(10),
		node.does("write"), node.does("post", bare.URL), timed(write),
		node.does("read"), node.does("get", bare.URL), timed(read))
	if err != nil {
		return err
	}
	b.report("SDK, 64 MiB written", "ms", t[0], "fetch, a bare server", t[1], noTarget)
	b.report("SDK, 64 MiB written", "ms", t[0], "library", t[2], noTarget)
	b.report("SDK, 64 MiB written", "ms", t[0], "", nil, atMost(150, "ms"))
	b.report("SDK, 64 MiB read", "ms", t[3], "fetch, a bare server", t[4], noTarget)
	b.report("SDK, 64 MiB read", "ms", t[3], "library", t[5], noTarget)
	b.report("SDK, 64 MiB read", "ms", t[3], "", nil, atMost(170, "ms"))
	return nil
}

const sdkBytes = 64 << 20

// bare takes and gives as much as the SDK moves: what is left of its times is
// node's own.
func bare(w http.ResponseWriter, r *http.Request) {
	piece := make([]byte, 256<<10)
	if r.Method == http.MethodPost {
		for err := error(nil); err == nil; {
			_, err = r.Body.Read(piece)
		}
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(sdkBytes))
	for range sdkBytes / len(piece) {
		_, _ = w.Write(piece)
	}
}
