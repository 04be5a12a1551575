package docker

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

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

// buildSpec is a build from the suite's image.
func buildSpec(t *testing.T, tag string, secrets map[string][]byte, instruction string, said func(adapters.BuildEvent)) *adapters.BuildSpec {
	t.Helper()
	source, err := template.With("", []byte("FROM "+os.Getenv("QS_IMAGE")+"\n"+instruction+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := source.WriteTar(&packed, secrets); err != nil {
		t.Fatal(err)
	}
	return &adapters.BuildSpec{
		Context: &packed, Recipe: template.RecipeName, Hidden: []string{template.OwnNames}, Tag: tag,
		Secrets: template.SecretNames(secrets), Pull: adapters.PullNever, Progress: said,
	}
}

func buildAdapter(t *testing.T) *Adapter {
	a := New(adapters.Config{Root: t.TempDir(), Logger: hclog.NewNullLogger()})
	t.Cleanup(func() { a.Close() })
	return a
}

// lasting is a command that goes on until it is killed, and that no other is like.
func lasting() string { return "sleep 1000." + strings.Map(digit, rand.Text()) }

func digit(r rune) rune { return '0' + r%10 }

// running reports whether a process on this machine has a command in its command
// line, as the shell that is about to start it does.
func running(command string) bool {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		line, _ := os.ReadFile(path)
		if bytes.Contains(bytes.ReplaceAll(line, []byte{0}, []byte{' '}), []byte(command)) {
			return true
		}
	}
	return false
}

// waitUntilGone fails a test when a command goes on.
func waitUntilGone(t *testing.T, command string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); running(command); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s goes on", command)
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
			seen = running(command)
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

// builderVariable makes TestBuildUntilKilled the client of a build.
const builderVariable = "QS_TEST_BUILD_COMMAND"

// A build ends with its client, however that ends: nothing is left to sweep.
func TestBuildEndsWithItsClient(t *testing.T) {
	needDocker(t)
	command := lasting()
	client := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBuildUntilKilled$")
	client.Env = append(os.Environ(), builderVariable+"="+command)
	said, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(said, make([]byte, len("ready")))
	if !running(command) {
		t.Error("the build has not begun")
	}
	_ = client.Process.Kill()
	_ = client.Wait()
	waitUntilGone(t, command)
}

func TestBuildUntilKilled(t *testing.T) {
	command := os.Getenv(builderVariable)
	if command == "" {
		t.Skip("runs for TestBuildEndsWithItsClient only")
	}
	spec := buildSpec(t, "localhost/quixand-test:1", nil, "RUN echo ready; "+command, func(e adapters.BuildEvent) {
		if e.Output == "ready" {
			_, _ = os.Stdout.WriteString(e.Output)
		}
	})
	_, err := buildAdapter(t).BuildImage(t.Context(), spec)
	t.Error("it has ended before it was killed: ", err)
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
