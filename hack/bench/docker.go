//go:build containers_image_openpgp

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	_ "github.com/quixand/quixand/pkg/adapters/docker"
	"github.com/quixand/quixand/pkg/quixand"
)

// benchDocker: a command in a sandbox on Docker, by each way to the agent, and what
// a sandbox takes there.
func benchDocker(ctx context.Context, b *bench) error {
	if err := command(ctx, "docker", "image", "inspect", b.image)(); err != nil {
		fmt.Println("no figures of Docker:", err)
		return nil
	}
	out, err := exec.CommandContext(ctx, "docker", "run", "--detach", "--rm", b.image, "sleep", "infinity").Output()
	if err != nil {
		return err
	}
	id := strings.TrimSpace(string(out))
	defer func() { _ = command(context.WithoutCancel(ctx), "docker", "rm", "--force", id)() }()
	for _, plane := range []string{"socket", "exec"} {
		if err := b.benchDockerBy(ctx, plane, id); err != nil {
			return fmt.Errorf("by %s: %w", plane, err)
		}
	}
	return nil
}

// benchDockerBy measures one way to agents, beside the host's own processes and
// an exec in a container.
func (b *bench) benchDockerBy(ctx context.Context, plane, container string) error {
	// The adapter reads it when it is made.
	if err := os.Setenv("QS_DATA_PLANE", plane); err != nil {
		return err
	}
	defer os.Unsetenv("QS_DATA_PLANE")
	client, err := quixand.New(&quixand.Config{Adapter: "docker"})
	if err != nil {
		return err
	}
	defer client.Close()
	sb, err := client.Create(ctx, nil)
	if err != nil {
		return err
	}
	defer discard(ctx, sb)
	ours := func() error { return runTrue(ctx, sb) }
	t, err := inTurn(b.n(500), ours, forkExec)
	if err != nil {
		return err
	}
	name := "exec on Docker, by " + plane
	if plane == "socket" {
		b.report(name, "ms", t[0], "fork+exec", t[1], ratioAtMost(2))
	} else {
		b.report(name, "ms", t[0], "", nil, atMost(5, "ms"))
	}
	t, err = inTurn(b.n(30), ours, command(ctx, "docker", "exec", container, "true"))
	if err != nil {
		return err
	}
	b.report(name, "ms", t[0], "docker exec", t[1], ratioAtMost(0.04))
	return nil
}
