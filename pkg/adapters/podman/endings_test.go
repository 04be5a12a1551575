package podman

import (
	"context"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/internal/tombstone"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/adapters/contract"
)

// endings are what happens to containers without our doing.
var endings = []contract.Ending{
	{Name: "podman rm --force", Reason: adapters.ReasonEngine, End: byPodman("rm", "--force")},
	{Name: "podman stop", Reason: adapters.ReasonEngine, End: byPodman("stop")},
	{Name: "podman kill", Reason: adapters.ReasonEngine, End: byPodman("kill")},
	{Name: "a signal to its first process", Reason: adapters.ReasonExited, End: bySignal},
	{Name: "a restart of the host", Reason: adapters.ReasonHost, End: byRestart},
}

func byPodman(args ...string) func(ctx context.Context, root, id string) error {
	return func(ctx context.Context, _, id string) error {
		_, err := podman(ctx, nil, append(args, local.ContainerName(id))...)
		return err
	}
}

// bySignal kills the agent as nothing inside could.
func bySignal(ctx context.Context, _, id string) error {
	text, err := podman(ctx, nil, "inspect", "--format", "{{.State.Pid}}", local.ContainerName(id))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	return unix.Kill(pid, unix.SIGKILL)
}

// byRestart is a power cut: nobody had the time to leave word, and the host
// has been started anew since.
func byRestart(ctx context.Context, root, id string) error {
	graves := tombstone.Open(root)
	b, err := graves.Birth(id)
	if err != nil {
		return err
	}
	b.Boot = "of another time"
	if err := graves.Born(b); err != nil {
		return err
	}
	return bySignal(ctx, root, id)
}
