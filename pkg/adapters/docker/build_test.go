package docker

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/template"
	"github.com/quixand/quixand/pkg/adapters"
)

// needDocker skips a test where there is no daemon, or fails it where there must
// be one.
func needDocker(t *testing.T) {
	t.Helper()
	switch err := cli.Available(t.Context()); {
	case err == nil:
	case strings.Contains(os.Getenv("QS_TEST_REQUIRE"), Name):
		t.Fatal(err)
	default:
		t.Skip("lacks docker: ", err)
	}
}

// newBuildSpec is a build from the suite's image.
func newBuildSpec(tag string, secrets map[string][]byte, instruction string, said func(adapters.BuildEvent)) (*adapters.BuildSpec, error) {
	source, err := template.With("", []byte("FROM "+os.Getenv("QS_IMAGE")+"\n"+instruction+"\n"))
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	if err := source.WriteTar(&packed, secrets); err != nil {
		return nil, err
	}
	return &adapters.BuildSpec{
		Context: &packed, Recipe: template.RecipeName, Hidden: []string{template.OwnNames}, Tag: tag,
		Secrets: template.SecretNames(secrets), Pull: adapters.PullNever, Progress: said,
	}, nil
}

func buildSpec(t *testing.T, tag string, secrets map[string][]byte, instruction string, said func(adapters.BuildEvent)) *adapters.BuildSpec {
	t.Helper()
	spec, err := newBuildSpec(tag, secrets, instruction, said)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func buildAdapter(t *testing.T) *Adapter {
	a := New(adapters.Config{Root: t.TempDir(), Logger: hclog.NewNullLogger()})
	t.Cleanup(func() { a.Close() })
	return a
}

// lasting is a command that goes on until it is killed, and that no other is like.
func lasting() string { return "sleep 1000." + strings.Map(digit, rand.Text()) }

func digit(r rune) rune { return '0' + r%10 }

// running returns the processes on this machine that have a command in their
// command lines, as the shell that is about to start it does.
func running(command string) (pids []int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		line, _ := os.ReadFile(path)
		if bytes.Contains(bytes.ReplaceAll(line, []byte{0}, []byte{' '}), []byte(command)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// waitUntilGone fails a test when a command goes on.
func waitUntilGone(t *testing.T, command string) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for pids := running(command); len(pids) > 0; pids = running(command) {
		fd, err := unix.PidfdOpen(pids[0], 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(time.Until(end).Milliseconds()))
		unix.Close(fd)
		if n == 0 || err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatalf("%s goes on: %v", command, err)
		}
	}
}

// Nothing of a build that was given up is left when BuildImage returns.
func TestBuildEndsWithItsContext(t *testing.T) {
	needDocker(t)
	command, tag := lasting(), "localhost/quixand-test/"+strings.ToLower(rand.Text())+":1"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen bool
	spec := buildSpec(t, tag, nil, "RUN echo ready; "+command, func(e adapters.BuildEvent) {
		if e.Output == "ready" {
			seen = len(running(command)) > 0
			cancel()
		}
	})
	a := buildAdapter(t)
	_, err := a.BuildImage(ctx, spec)
	if !errors.Is(err, context.Canceled) || !seen {
		t.Fatalf("%v; the command was seen: %v", err, seen)
	}
	waitUntilGone(t, command)
	if _, err := a.Image(t.Context(), tag); !errors.Is(err, adapters.ErrNotFound) {
		t.Errorf("the image: %v", err)
	}
}

// builderVariable makes this program the client of a build that lasts.
const builderVariable = "QS_TEST_BUILD_COMMAND"

func TestMain(m *testing.M) {
	if command := os.Getenv(builderVariable); command != "" {
		fmt.Fprintln(os.Stderr, "it has ended before it was killed:", buildUntilKilled(command))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A build ends with its client, however that ends: nothing is left to sweep.
func TestBuildEndsWithItsClient(t *testing.T) {
	needDocker(t)
	command := lasting()
	client := exec.CommandContext(t.Context(), os.Args[0])
	client.Env = append(os.Environ(), builderVariable+"="+command)
	said, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(said, make([]byte, len("ready")))
	if len(running(command)) == 0 {
		t.Error("the build has not begun")
	}
	_ = client.Process.Kill()
	_ = client.Wait()
	waitUntilGone(t, command)
}

func buildUntilKilled(command string) error {
	spec, err := newBuildSpec("localhost/quixand-test:1", nil, "RUN echo ready; "+command, func(e adapters.BuildEvent) {
		if e.Output == "ready" {
			_, _ = os.Stdout.WriteString(e.Output)
		}
	})
	if err == nil {
		_, err = New(adapters.Config{Root: os.TempDir(), Logger: hclog.NewNullLogger()}).BuildImage(context.Background(), spec)
	}
	return err
}

// A secret is in nothing that the daemon tells of an image. That it is in no file
// of it is for the contract to say.
func TestSecretsAreNotToldOfImages(t *testing.T) {
	needDocker(t)
	secret, tag := rand.Text(), "localhost/quixand-test/"+strings.ToLower(rand.Text())+":1"
	spec := buildSpec(t, tag, map[string][]byte{"token": []byte(secret)},
		"RUN --mount=type=secret,id=token test $(wc -c </run/secrets/token) = 26 # "+tag, func(adapters.BuildEvent) {})
	a := buildAdapter(t)
	if _, err := a.BuildImage(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	defer cli.Run(t.Context(), nil, "image", "rm", tag)
	for _, args := range [][]string{{"history", "--no-trunc", tag}, {"image", "inspect", tag}} {
		told, err := cli.Run(t.Context(), nil, args...)
		if err != nil || strings.Contains(told, secret) {
			t.Errorf("docker %s: %v; it has the secret: %v", args[0], err, err == nil)
		}
	}
}
