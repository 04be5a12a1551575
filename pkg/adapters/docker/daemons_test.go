package docker

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters/contract"
)

// daemon is another one than the usual, and what is tried with it: where daemons
// differ, which is in how sandboxes are made, reached and told of. It may lack
// what the usual one has.
type daemon struct {
	name, socket string
	start        []string // the command that starts it, if it has to be
	groups       string
	lacks        []contract.Capability
	env          []string
}

// daemons are those of the test host. Elsewhere there may be some of them.
func daemons() []daemon {
	runtimeDir := os.Getenv("XDG_RUNTIME_DIR")
	limits := []contract.Capability{contract.MemoryLimit, contract.CPULimit, contract.PIDsLimit}
	if hasUserController("memory") {
		limits = nil
	}
	return []daemon{
		{
			name: "podman", socket: filepath.Join(runtimeDir, "podman", "podman.sock"),
			groups: "claims|death|events", lacks: limits,
		},
		{
			// Its network is its own, and leads nowhere.
			name: "remapped", socket: "/run/docker-remapped.sock",
			groups: "claims|death|limits|security", env: []string{"QS_TEST_OUTSIDE="},
		},
		{
			name: "rootless", socket: filepath.Join(runtimeDir, "docker-rootless.sock"),
			start:  []string{"systemctl", "--user", "start", "docker-rootless"},
			groups: "claims|create|network", lacks: limits,
		},
	}
}

// hasUserController reports whether daemons without root can use a controller.
func hasUserController(name string) bool { return slices.Contains(local.UserControllers(), name) }

// daemonVariable names the daemon that a run of the suite is about.
const daemonVariable = "QS_TEST_DAEMON"

// lacking are the capabilities that the daemon under test does not have.
func lacking() []contract.Capability {
	for _, d := range daemons() {
		if d.name == os.Getenv(daemonVariable) {
			return d.lacks
		}
	}
	return nil
}

// TestContractOfOthers runs parts of the suite against the other daemons.
func TestContractOfOthers(t *testing.T) {
	if os.Getenv("DOCKER_HOST") != "" || os.Getenv(dataPlaneVariable) != "" {
		t.Skip("lacks a choice: one daemon or one way is asked for")
	}
	for _, d := range daemons() {
		t.Run(d.name, func(t *testing.T) {
			env := append(slices.Clone(d.env), daemonVariable+"="+d.name, "DOCKER_HOST=unix://"+d.socket)
			if why := d.prepare(t.Context()); why != "" {
				if slices.Contains(strings.Split(os.Getenv("QS_TEST_REQUIRE"), ","), Name) {
					t.Fatal("QS_TEST_REQUIRE names docker, but: " + why)
				}
				t.Skip("lacks daemon: " + why)
			}
			runAgain(t, d.groups, env...)
		})
	}
}

// prepare starts the daemon and sees that it has the image. It says why it cannot
// be used.
func (d *daemon) prepare(ctx context.Context) string {
	if d.start != nil {
		_ = exec.CommandContext(ctx, d.start[0], d.start[1:]...).Run()
	}
	if !usable(d.socket) {
		return "nothing is at " + d.socket
	}
	const lend = `docker --host "$1" image inspect "$2" >/dev/null 2>&1 || docker save "$2" | docker --host "$1" load`
	if out, err := exec.CommandContext(ctx, "sh", "-c", lend, "sh", "unix://"+d.socket, os.Getenv("QS_IMAGE")).CombinedOutput(); err != nil {
		return string(out)
	}
	return ""
}

// runAgain runs groups of the suite, or what this run is focused on, in another
// environment.
func runAgain(t *testing.T, groups string, env ...string) {
	t.Helper()
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		return !strings.HasPrefix(arg, "-ginkgo.") && !strings.HasPrefix(arg, "-test.v")
	})
	if !strings.Contains(strings.Join(args, " "), "focus") {
		args = append(args, "-ginkgo.focus=docker ("+groups+")")
	}
	again := exec.CommandContext(t.Context(), os.Args[0], append(args, "-test.run=^TestContract$")...)
	again.Env = append(os.Environ(), env...)
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	if err := again.Run(); err != nil {
		t.Error(err)
	}
}
