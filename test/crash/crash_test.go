// Package crash kills things at bad moments and counts what is left: clients,
// agents, the engine and its monitors. `make crash` runs it for long, and every
// test run for a little while; a seed that is printed, and given back with
// -seed, makes the same choices again.
//
// Nothing here says what a sandbox does; it is about what remains of one.
package crash

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/statedir"
)

var (
	kills   = flag.Int("kills", 40, "how many clients to kill")
	seed    = flag.Uint64("seed", 0, "seed of the campaign; 0 chooses one")
	only    = flag.String("only", "", "what the clients do, of all that they can do")
	workers = flag.Int("workers", 3, "how many clients there are at once")
)

const (
	// grace is how long whatever was left behind may stay: an ephemeral sandbox
	// has ten seconds, and the engine's cleaning up some more.
	grace = 20 * time.Second
	// patience bounds what must not take long whatever has been killed.
	patience = 30 * time.Second
)

// site is a Quixand root of a test's own, with an engine's service of its own:
// it can be killed without harm to others.
type site struct {
	*testing.T
	root    string
	qs      string
	env     []string
	cli     string   // the engine's
	service *service // nil: the engine is nobody's to kill
	storage string   // the service's
	before  []string // orphans that others have left
	suspect []string // orphans since empty was called first
}

func newSite(t *testing.T, serviceEnv ...string) *site {
	t.Helper()
	s := siteOn(t, "podman")
	s.storage = userStorage()
	s.service = newService(t, s.root, serviceEnv...)
	s.env = append(s.env, "CONTAINER_HOST=unix://"+s.service.socket)
	s.before = s.orphans()
	s.endAll()
	return s
}

// newDockerSite is a site on the machine's Docker.
func newDockerSite(t *testing.T) *site {
	t.Helper()
	s := siteOn(t, "docker")
	s.endAll()
	return s
}

// siteOn is a site whose sandboxes nobody ends yet.
func siteOn(t *testing.T, engine string) *site {
	t.Helper()
	if why := lacking(t.Context(), engine); why != "" {
		if slices.Contains(strings.Split(os.Getenv("QS_TEST_REQUIRE"), ","), engine) {
			t.Fatal("QS_TEST_REQUIRE names " + engine + ", but: " + why)
		}
		t.Skip("lacks engine: " + why)
	}
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, root: t.TempDir(), qs: filepath.Join(checkout, "bin", "qs"), cli: engine}
	if _, err := os.Stat(s.qs); err != nil {
		t.Fatalf("build it with: make build: %v", err)
	}
	s.env = append(os.Environ(), "QS_ROOT="+s.root, "QS_AGENT="+filepath.Join(checkout, "bin", "qs-agent"), "QS_ADAPTER="+engine)
	return s
}

// endAll kills the sandboxes at the end of the test.
func (s *site) endAll() {
	s.Cleanup(func() {
		if s.service != nil {
			s.service.ensure()
		}
		if out, err := s.command(context.Background(), "kill", "--all").CombinedOutput(); err != nil {
			s.Errorf("kill --all: %v: %s", err, out)
		}
	})
}

// sub is the same site, for a part of its test.
func (s *site) sub(t *testing.T) *site {
	again := *s
	again.T = t
	return &again
}

// lacking says why no sandbox can be had on this machine.
func lacking(ctx context.Context, engine string) string {
	image := os.Getenv("QS_IMAGE")
	switch {
	case image == "":
		return "QS_IMAGE names no image: run the tests with hack/with-host"
	case os.Getuid() == 0:
		return "the tests are an ordinary user's: run them with hack/with-host"
	}
	if out, err := exec.CommandContext(ctx, engine, "image", "inspect", "--format", "{{.Id}}", image).CombinedOutput(); err != nil {
		return fmt.Sprintf("%s image inspect %s: %v %s", engine, image, err, out)
	}
	return ""
}

// dirs is where the sandboxes' sockets are.
func (s *site) dirs() *statedir.Runtime { return statedir.Open(s.root) }

func (s *site) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.qs, args...)
	cmd.Env = s.env
	cmd.WaitDelay = time.Second // for who still has its output
	return cmd
}

// run is qs for what may fail, but not take for ever.
func (s *site) run(args ...string) (string, error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := s.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		s.Errorf("qs %s: still at it after %v", strings.Join(args, " "), patience)
	}
	if err != nil {
		err = fmt.Errorf("qs %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), err
}

// must is run for what must not fail.
func (s *site) must(args ...string) string {
	s.Helper()
	out, err := s.run(args...)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

func (s *site) create(flags ...string) string {
	s.Helper()
	return s.must(append([]string{"create", "--quiet"}, flags...)...)
}

// list returns the ids of the sandboxes that qs knows, which clears away what
// nobody can use any more.
func (s *site) list() []string {
	s.Helper()
	return strings.Fields(s.must("ls", "--quiet"))
}

// within waits until check finds nothing wrong any more.
func (s *site) within(d time.Duration, check func() error) {
	s.Helper()
	deadline := time.Now().Add(d)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.Errorf("after %v: %v", d, err)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// empty is a check that nothing is left. Others come and go at the same engine,
// so an orphan counts when it has been one since the first look.
func (s *site) empty() error {
	left, orphans := s.leftovers(), s.orphans()
	if s.suspect == nil {
		s.suspect = slices.DeleteFunc(orphans, func(o string) bool { return slices.Contains(s.before, o) })
	} else {
		s.suspect = slices.DeleteFunc(s.suspect, func(o string) bool { return !slices.Contains(orphans, o) })
	}
	for _, o := range s.suspect {
		left = append(left, "orphan "+o)
	}
	if len(left) == 0 {
		s.suspect = nil
		return nil
	}
	return errors.New("left behind:\n\t" + strings.Join(left, "\n\t"))
}
