package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// batch is how many clients are killed between two looks at what is left.
const batch = 60

// TestKilledClients kills clients at any moment, and then looks: every sandbox
// is usable or gone, and nothing is left of those that are gone.
func TestKilledClients(t *testing.T) { killClients(newSite(t), *kills) }

// TestKilledClientsOnDocker is the same on an engine that is root's.
func TestKilledClientsOnDocker(t *testing.T) { killClients(newDockerSite(t), (*kills+1)/2) }

func killClients(s *site, clients int) {
	s.Helper()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	s.Logf("%d kills; the same choices again: -kills=%d -workers=%d -seed=%d", clients, *kills, *workers, *seed)
	rnd := rand.New(rand.NewPCG(*seed, 0))
	var tally tally
	for left := clients; left > 0 && !s.Failed(); left -= batch {
		c := &campaign{site: s, victim: s.create("--timeout=10m"), tally: &tally}
		c.data = filepath.Join(s.TempDir(), "data")
		if err := os.WriteFile(c.data, make([]byte, 4<<20), 0o600); err != nil {
			s.Fatal(err)
		}
		c.kill(min(left, batch), rnd)
		c.settle()
	}
	s.Log(tally.String())
}

// campaign is one batch.
type campaign struct {
	*site
	victim  string   // the sandbox that commands and copies go to
	data    string   // a file to copy
	paused  sync.Map // sandboxes that may have been
	recipes atomic.Int64
	*tally
}

// action is something for a client to do, and how long that takes, more or less:
// it is killed at a moment of that time, or a little later.
type action struct {
	name  string
	lasts time.Duration
	args  func(c *campaign) []string
}

// actions are what the clients do.
var actions = []action{
	{"create", 250 * time.Millisecond, func(*campaign) []string { return []string{"create", "--timeout=5m"} }},
	{"create --network none", 200 * time.Millisecond, func(*campaign) []string {
		return []string{"create", "--timeout=5m", "--network=none"}
	}},
	{"run", 500 * time.Millisecond, func(*campaign) []string { return []string{"run", "--", "sh", "-c", "sleep 0.1; echo done"} }},
	{"exec", 150 * time.Millisecond, func(c *campaign) []string { return []string{"exec", c.victim, "--", "sh", "-c", "sleep 0.1"} }},
	{"exec detached", 25 * time.Millisecond, func(c *campaign) []string { return []string{"exec", "--detach", c.victim, "--", "sleep", "0.1"} }},
	{"cp in", 40 * time.Millisecond, func(c *campaign) []string { return []string{"cp", c.data, c.victim + ":data"} }},
	{"cp out", 40 * time.Millisecond, func(c *campaign) []string { return []string{"cp", c.victim + ":data", c.data + ".back"} }},
	{"kill", 120 * time.Millisecond, func(c *campaign) []string { return []string{"kill", c.fresh()} }},
	{"pause", 50 * time.Millisecond, func(c *campaign) []string {
		id := c.fresh()
		c.paused.Store(id, true)
		return []string{"pause", id}
	}},
	{"snapshot", 200 * time.Millisecond, func(c *campaign) []string { return []string{"snapshot", c.fresh()} }},
	{"fork", 400 * time.Millisecond, func(c *campaign) []string { return []string{"fork", "--timeout=5m", c.fresh()} }},
	{"rename", 40 * time.Millisecond, func(c *campaign) []string {
		id := c.fresh()
		return []string{"rename", id, "n" + id}
	}},
	{"ls", 30 * time.Millisecond, func(*campaign) []string { return []string{"ls"} }},
	{"templates build", 1500 * time.Millisecond, (*campaign).recipe},
}

// recipe is a template to build that nobody has built before.
func (c *campaign) recipe() []string {
	n := c.recipes.Add(1)
	dir := filepath.Join(c.TempDir(), fmt.Sprint(n))
	text := fmt.Sprintf("FROM %s\nLABEL %s\nRUN echo %d; sleep 0.2\nCOPY data /\nRUN sleep 0.3\n", os.Getenv("QS_IMAGE"), c.layerLabel(), n)
	if err := errors.Join(
		os.Mkdir(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600),
		os.Link(c.data, filepath.Join(dir, "data")),
	); err != nil {
		c.Error(err)
	}
	return []string{"templates", "build", dir, "--name", fmt.Sprint(c.templates(), n)}
}

// fresh is a sandbox to do something to.
func (c *campaign) fresh() string { return c.create("--timeout=5m", "--network=none") }

// kill has clients begin something and kills them.
func (c *campaign) kill(n int, rnd *rand.Rand) {
	type choice struct {
		action
		after time.Duration
	}
	choices := make(chan choice)
	var all sync.WaitGroup
	for range *workers {
		all.Go(func() {
			for ch := range choices {
				c.count(ch.name, c.killOne(ch.args(c), ch.after))
			}
		})
	}
	actions := slices.DeleteFunc(slices.Clone(actions), func(a action) bool { return *only != "" && a.name != *only })
	for range n {
		a := actions[rnd.IntN(len(actions))]
		choices <- choice{a, time.Duration(rnd.Int64N(int64(a.lasts * 5 / 4)))}
	}
	close(choices)
	all.Wait()
}

// killOne starts a client, kills it after a while, and reports whether it was
// still at it.
func (c *campaign) killOne(args []string, after time.Duration) bool {
	cmd := c.command(context.Background(), args...)
	if err := cmd.Start(); err != nil {
		c.Error(err)
		return false
	}
	// The moment is what this is about, so nothing is waited for but time.
	time.Sleep(after)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode() < 0
}

// settle makes sure that every sandbox is usable or gone, ends those that are
// usable, and then counts what is left.
func (c *campaign) settle() {
	c.Helper()
	c.checkVictim()
	c.list() // the next call, which clears away
	c.within(grace, func() error {
		for _, line := range strings.Fields(c.must("ls", "--quiet")) {
			if err := c.usable(line); err != nil {
				return err
			}
		}
		return nil
	})
	for _, id := range c.list() {
		c.kept.Add(1)
		c.must("kill", "--force", id)
	}
	// What has a name is meant to stay.
	for _, name := range strings.Fields(c.must("snapshots", "ls", "--quiet")) {
		c.must("snapshots", "rm", name)
	}
	for _, name := range strings.Fields(c.must("templates", "ls", "--all", "--quiet")) {
		if strings.HasPrefix(name, c.templates()) {
			c.must("templates", "rm", name)
		}
	}
	c.within(grace, c.empty)
}

// usable runs a command in a sandbox, which may be gone by now, and may be frozen.
func (c *campaign) usable(id string) error {
	out, err := c.run("exec", id, "--", "echo", "alive")
	if _, frozen := c.paused.Load(id); frozen && err != nil && strings.Contains(err.Error(), "paused") {
		if _, err := c.run("resume", id); err != nil {
			return err
		}
		out, err = c.run("exec", id, "--", "echo", "alive")
	}
	if err != nil && strings.Contains(err.Error(), "exit status 3") { // gone
		return nil
	}
	if err == nil && out != "alive" {
		err = fmt.Errorf("it says %q", out)
	}
	return err
}

// checkVictim makes sure that nothing runs in the sandbox that its clients were
// waiting for, and that half a file is nowhere.
func (c *campaign) checkVictim() {
	c.Helper()
	c.within(grace, func() error {
		if out := c.must("exec", c.victim, "--", "sh", "-c", "grep -l ^sleep /proc/[0-9]*/comm 2>/dev/null || :"); out != "" {
			return fmt.Errorf("still running: %s", out)
		}
		return nil
	})
	c.within(grace, func() error {
		if out := c.must("exec", c.victim, "--", "ls", "-A"); strings.TrimSpace(strings.ReplaceAll(out, "data", "")) != "" {
			return fmt.Errorf("files left inside: %q", out)
		}
		return nil
	})
}

// tally counts what was done.
type tally struct {
	mu    sync.Mutex
	hit   map[string]int // killed while they were at it
	all   map[string]int
	order []string
	kept  atomic.Int64
}

func (t *tally) count(name string, hit bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all, t.hit = map[string]int{}, map[string]int{}
	}
	if t.all[name] == 0 {
		t.order = append(t.order, name)
	}
	t.all[name]++
	if hit {
		t.hit[name]++
	}
}

func (t *tally) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d sandboxes were left usable; clients killed while they were at it:", t.kept.Load())
	for _, name := range t.order {
		fmt.Fprintf(&text, "\n%24s %d of %d", name, t.hit[name], t.all[name])
	}
	return text.String()
}
