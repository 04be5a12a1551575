package podman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blang/semver/v4"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// The tests in this file are about what is Podman's own, and need the real
// one; what every engine must do is in the contract suite.

// realAdapter is one for the user's Podman, with a root of its own.
func realAdapter(t *testing.T) *underTest {
	t.Helper()
	if err := cli.Available(t.Context()); err != nil {
		if slices.Contains(strings.Split(os.Getenv("QS_TEST_REQUIRE"), ","), Name) {
			t.Fatalf("QS_TEST_REQUIRE names %s, but: %v", Name, err)
		}
		t.Skipf("lacks engine: %v", err)
	}
	a := newUnderTest(t.TempDir())
	t.Cleanup(func() { a.Close() })
	return a
}

// created makes a sandbox that lives as long as its test.
func created(t *testing.T, a *underTest, change func(*adapters.Spec)) string {
	t.Helper()
	spec := realSpec(t, a)
	if change != nil {
		change(spec)
	}
	if _, err := a.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := a.Kill(context.WithoutCancel(t.Context()), spec.ID, adapters.KillOptions{Reason: adapters.ReasonKilled})
		if err != nil && !errors.Is(err, adapters.ErrNotFound) {
			t.Error(err)
		}
	})
	return spec.ID
}

func realSpec(t *testing.T, a *underTest) *adapters.Spec {
	t.Helper()
	spec := specOf(a)
	spec.ID = fmt.Sprintf("t%d", time.Now().UnixNano())
	spec.Image, spec.Pull = os.Getenv("QS_IMAGE"), adapters.PullNever
	return spec
}

// leftNothing fails when anything of the root is left.
func leftNothing(t *testing.T, a *underTest) {
	t.Helper()
	left, err := leftovers(t.Context(), a.root)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
	checkNothingLeft(t, a)
}

// dialAll is a Python program that connects to each of its arguments, and to
// link-local ones by every interface, and prints those that answer.
const dialAll = `
import socket, sys
for target in sys.argv[1:]:
    host, port = target.rsplit(" ", 1)
    zones = ["%" + name for _, name in socket.if_nameindex()] if host.startswith("fe80") else [""]
    for zone in zones:
        try:
            info = socket.getaddrinfo(host + zone, int(port), type=socket.SOCK_STREAM)[0]
            with socket.socket(info[0], info[1]) as s:
                s.settimeout(1)
                s.connect(info[4])
                if s.recv(100) == b"the host":
                    print(target)
                    break
        except OSError:
            pass
`

// hostTargets listens on this host and returns every way to get there, in the
// form that dialAll reads: all its addresses, and those by which user-mode
// networks give it a second name.
func hostTargets(t *testing.T) []string {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "the host")
			conn.Close()
		}
	}()
	hosts := []string{"169.254.1.2", "10.0.2.2", "10.0.2.3", "fd00::2", "fd00::3", "host.containers.internal"}
	addrs, err := localHost{}.addresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		hosts = append(hosts, a.String())
	}
	for i := range hosts {
		hosts[i] += fmt.Sprintf(" %d", l.Addr().(*net.TCPAddr).Port)
	}
	return hosts
}

// A sandbox reaches nothing of its host, link-local addresses included, by
// whichever network helper the engine has. The same program in a container of
// the engine's own making does, so it is the sandbox that stops it and not the
// test.
func TestHostIsOutOfReach(t *testing.T) {
	a := realAdapter(t)
	conn, err := a.engine.use(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, helper := range []struct {
		name string
		api  semver.Version
	}{
		{"pasta", conn.version},
		{"slirp4netns", semver.MustParse("4.3.0")},
	} {
		t.Run(helper.name, func(t *testing.T) {
			if _, err := exec.LookPath(helper.name); err != nil {
				t.Skipf("lacks %s", helper.name)
			}
			conn.version = helper.api
			if way, _ := wayOut(conn.version); way.Mode != helper.name {
				t.Skipf("lacks %s: Podman %s gives sandboxes %s", helper.name, conn.version, way.Mode)
			}
			targets := hostTargets(t)
			program := append([]string{"python3", "-c", dialAll}, targets...)

			plain := append([]string{"run", "--rm", "--pull", "never", "--network", helper.name, os.Getenv("QS_IMAGE")}, program...)
			control, err := podman(t.Context(), nil, plain...)
			if err != nil {
				t.Fatal(err)
			}
			if control == "" {
				t.Errorf("a plain container reaches none of %q: this test shows nothing", targets)
			}
			t.Logf("a plain container reaches:\n%s", control)

			id := created(t, a, func(s *adapters.Spec) { s.Network = adapters.NetworkBridge })
			for _, user := range []string{"0", "1000"} {
				reached, err := podman(t.Context(), nil, append([]string{"exec", "--user", user, local.ContainerName(id)}, program...)...)
				if err != nil || reached != "" {
					t.Errorf("as %s: %v, the sandbox reaches:\n%s", user, err, reached)
				}
			}
		})
	}
}

// A sandbox knows its own names, and none of the host's names and addresses.
func TestHostsFileIsTheSandboxes(t *testing.T) {
	a := realAdapter(t)
	for _, network := range []adapters.Network{adapters.NetworkBridge, adapters.NetworkNone} {
		id := created(t, a, func(s *adapters.Spec) { s.Network = network })
		got, err := podman(t.Context(), nil, "exec", local.ContainerName(id), "cat", "/etc/hosts")
		want := "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\t" + id
		if err != nil || got != want {
			t.Errorf("network %s: %v, the sandbox reads:\n%s", network, err, got)
		}
	}
}

// A sandbox's root can lock its owner out of files in the shared directory.
// They go all the same.
func TestKillRemovesWhatTheSandboxClosed(t *testing.T) {
	a := realAdapter(t)
	id := created(t, a, nil)
	_, err := podman(t.Context(), nil, "exec", local.ContainerName(id), "sh", "-c",
		"cd /run/quixand/sock && mkdir -p mine/deep && touch mine/deep/file && chown -R 1000 mine && chmod 0 mine/deep mine")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Kill(t.Context(), id, adapters.KillOptions{Reason: adapters.ReasonKilled}); err != nil {
		t.Error(err)
	}
	leftNothing(t, a)
}

// An agent that ends at once is reported with its exit code, soon, although
// the engine removes the container meanwhile.
func TestDyingAgent(t *testing.T) {
	a := realAdapter(t)
	agent, err := exec.LookPath("false")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("QS_AGENT", agent)
	began := time.Now()
	_, err = a.Create(t.Context(), realSpec(t, a))
	e, ok := errors.AsType[*adapters.Error](err)
	if !ok || e.Phase != adapters.PhaseReady || !strings.Contains(err.Error(), "exit code 1") {
		t.Errorf("Create: %v", err)
	}
	if elapsed := time.Since(began); elapsed > 10*time.Second {
		t.Errorf("it took %v", elapsed)
	}
	leftNothing(t, a)
}

// What the agent says on its way out is part of the error.
func TestDyingAgentIsQuoted(t *testing.T) {
	a := realAdapter(t)
	spec := realSpec(t, a)
	spec.Workdir = "/proc/no-place-for-a-directory"
	_, err := a.Create(t.Context(), spec)
	if err == nil || !strings.Contains(err.Error(), "qs-agent:") || !strings.Contains(err.Error(), spec.Workdir) {
		t.Errorf("Create: %v", err)
	}
	leftNothing(t, a)
}

// Podman's own default limit must not keep a sandbox from starting where the
// kernel has no controller for it.
func TestDefaultLimitsOfTheEngine(t *testing.T) {
	realAdapter(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "containers.conf")
	if err := os.WriteFile(conf, []byte("[containers]\npids_limit = 2048\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "podman.sock")
	listener, err := listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	// Not CONTAINERS_CONF_OVERRIDE, which Podman 4.3 does not know.
	t.Setenv("CONTAINERS_CONF", conf)
	serve(t, listener)
	t.Setenv("CONTAINER_HOST", "unix://"+socket)
	created(t, realAdapter(t), nil)
}

// serve runs a podman service of the test's own for as long as the test.
func serve(t *testing.T, listener *os.File) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec podman system service --time=0`)
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1")
	cmd.ExtraFiles = []*os.File{listener}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listener.Close()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
}

func TestSetDeadline(t *testing.T) {
	a := realAdapter(t)
	id := created(t, a, nil)
	if err := a.SetDeadline(t.Context(), id, time.Hour); err != nil {
		t.Fatal(err)
	}
	status, err := a.client(id).Status(t.Context())
	if err != nil || time.Duration(status.IdleTimeout) != time.Hour {
		t.Errorf("%+v, %v", status, err)
	}
}
