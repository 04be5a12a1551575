package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/internal/local/enginetest"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	cli     = enginetest.CLI("podman")
	testKey = "e2b_0123456789abcdef0123456789abcdef01234567"
)

// serverURL is where the suite's server is.
var serverURL string

// environment is that of a client of the suite's server.
func environment(at string) func(string) string {
	return func(name string) string {
		return map[string]string{urlVariable: at, keyVariable: testKey}[name]
	}
}

func openRemote(cfg adapters.Config) (adapters.Adapter, error) {
	return open(cfg, environment(serverURL))
}

// unreachable is a client of a server that is not there.
func unreachable(cfg adapters.Config) (adapters.Adapter, error) {
	return open(cfg, environment("http://127.0.0.1:1"))
}

// available says why there is no server.
func available(ctx context.Context) error {
	if err := cli.Available(ctx); err != nil {
		return err
	}
	if enginetest.BuiltQS() == "" {
		return errors.New("there is no qs beside QS_AGENT: make build")
	}
	if serverURL == "" {
		return errors.New("qs serve has not started")
	}
	return nil
}

// serveHere runs the qs that was built, as a server of a root of its own, until the
// test ends.
func serveHere(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(enginetest.BuiltQS(), append([]string{"serve", "--root", t.TempDir()}, args...)...)
	cmd.Env = append(os.Environ(), "QS_SERVE_API_KEY="+testKey, "QS_ADAPTER=podman")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
	})
	said := bufio.NewReader(stderr)
	line, err := said.ReadString('\n')
	at, ok := strings.CutPrefix(strings.TrimSpace(line), "qs serve listens at ")
	if err != nil || !ok {
		t.Fatalf("qs serve says %q, %v", line, err)
	}
	go io.Copy(os.Stderr, said)
	return at
}

// marks are the container's id, which conmon is started with.
func marks(ctx context.Context, id string) ([]string, error) {
	found, err := cli.Run(ctx, nil, "inspect", "--format", "{{.Id}}", local.ContainerName(id))
	return []string{found}, err
}
