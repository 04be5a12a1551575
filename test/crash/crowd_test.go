package crash

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

var crowdSize = flag.Int("crowd", 40, "how many sandboxes there are at once")

// TestCrowd creates many sandboxes, half of them at the same moment, and loses
// all that is kept on disk about them: none is forgotten, and each can be
// spoken to, or ended, as before.
func TestCrowd(t *testing.T) {
	s := newSite(t, "CONTAINERS_CONF_OVERRIDE="+withoutKeyrings(t))
	t.Setenv("QS_ROOT", s.root)
	t.Setenv("CONTAINER_HOST", "unix://"+s.service.socket)
	client, err := quixand.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c := &crowd{T: t, client: client}
	half := *crowdSize / 2
	c.inParallel(half, half, c.create)
	slices.Sort(c.took)
	t.Logf("%d created at once: median %v, p99 %v", half, c.took[half/2], c.took[half*99/100])
	c.inParallel(*crowdSize-half, 4, c.create)
	if t.Failed() {
		return
	}

	if err := os.RemoveAll(s.dirs().Path()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	infos, err := client.List(t.Context(), nil)
	took := time.Since(begin)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("list of %d, state lost: %v", len(infos), took)
	var listed []string
	for _, info := range infos {
		listed = append(listed, info.ID)
	}
	slices.Sort(listed)
	slices.Sort(c.ids)
	if !slices.Equal(listed, c.ids) {
		t.Errorf("listed are %d: %q\nthere are %d: %q", len(listed), listed, len(c.ids), c.ids)
	}
	if took > time.Second {
		t.Errorf("that took %v", took)
	}
	c.inParallel(len(c.ids), 4, func(i int) error { return c.use(c.ids[i]) })
	c.inParallel(len(c.ids), 4, func(i int) error { return client.Kill(c.Context(), c.ids[i]) })
	s.within(grace, s.empty)
}

// withoutKeyrings is a containers.conf. A kernel keyring for each container would
// be one of the 200 keys that the kernel allows a user.
func withoutKeyrings(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "containers.conf")
	if err := os.WriteFile(path, []byte("[containers]\nkeyring = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type crowd struct {
	*testing.T
	client *quixand.Client

	mu   sync.Mutex
	ids  []string
	took []time.Duration
}

// inParallel calls f for 0 to n-1, some at a time.
func (c *crowd) inParallel(n, atATime int, f func(i int) error) {
	c.Helper()
	turns := make(chan int)
	var all sync.WaitGroup
	for range atATime {
		all.Go(func() {
			for i := range turns {
				if err := f(i); err != nil {
					c.Error(err)
				}
			}
		})
	}
	for i := range n {
		turns <- i
	}
	close(turns)
	all.Wait()
}

func (c *crowd) create(int) error {
	begin := time.Now()
	sb, err := c.client.Create(c.Context(), &quixand.Options{Network: quixand.NetworkNone, Timeout: 20 * time.Minute})
	if err != nil {
		return err
	}
	if err := runTrue(c.Context(), sb); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = append(c.ids, sb.ID())
	c.took = append(c.took, time.Since(begin))
	return nil
}

// use connects to a sandbox as somebody else would.
func (c *crowd) use(id string) error {
	sb, err := c.client.Connect(c.Context(), id)
	if err != nil {
		return err
	}
	return runTrue(c.Context(), sb)
}

func runTrue(ctx context.Context, sb *quixand.Sandbox) error {
	_, err := sb.Run(ctx, "true")
	return err
}
