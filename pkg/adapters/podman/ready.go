package podman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/pkg/adapters"
)

// expected is how soon an agent is ready, with much to spare. Until then the
// engine is not asked about its death, which would cost every creation some of
// the engine's time.
const expected = 100 * time.Millisecond

// unasked is how long the engine is left alone. Podman 4 cannot tell how a
// container has ended that it has removed since, so it is asked at once.
func (c *connection) unasked() time.Duration {
	if c.version.Major < 5 {
		return 0
	}
	return expected
}

// ready waits until the agent answers. A sandbox that ends before it does is
// not waited for.
func (c *creation) ready(ctx context.Context, watch *agentsock.Watch) error {
	return phase(ctx, c.spec, adapters.PhaseReady, c.spec.Budgets.Ready, func(ctx context.Context) error {
		alive, dead := context.WithCancelCause(ctx)
		var mourner sync.WaitGroup
		mourner.Go(func() {
			select {
			case <-time.After(c.conn.unasked()):
				dead(c.death(alive))
			case <-alive.Done():
			}
		})
		err := watch.Wait(alive)
		if err == nil {
			err = c.greet(alive)
		}
		if cause := context.Cause(alive); cause != nil {
			err = cause
		}
		dead(nil)
		mourner.Wait()
		return err
	})
}

// greet makes sure that it is the agent who answers, and hands over what the
// engine must not see.
func (c *creation) greet(ctx context.Context) error {
	client := c.client(c.spec.ID)
	if len(c.spec.Env) > 0 {
		return client.Init(ctx, c.spec.Env)
	}
	_, err := client.Status(ctx)
	return err
}

// death returns when the sandbox has ended, and what can be said about it. It
// returns nil when the context ends first.
func (c *creation) death(ctx context.Context) error {
	code, err := c.conn.waitContainer(ctx, c.id)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil && !errors.Is(mapError(err), adapters.ErrNotFound):
		return err
	}
	text := "the sandbox ended before its agent was ready"
	if err == nil {
		text = fmt.Sprintf("the sandbox ended with exit code %d before its agent was ready", code)
	}
	if said := c.lastWords(c.spec.ID); said != "" {
		text += ": " + said
	}
	return c.explain(ctx, errors.New(text))
}

// explain looks for the reason of a death where it is not the agent's: without
// a range of ids, nothing can run as another user.
func (c *creation) explain(ctx context.Context, death error) error {
	e := &adapters.Error{Kind: adapters.ErrInternal, Err: death}
	if info, err := c.conn.getInfo(ctx); err == nil {
		if ids := checkIDs(info); ids.Status == adapters.CheckFail {
			e.Kind, e.Err, e.Hint = adapters.ErrUnavailable, fmt.Errorf("%w; this user has %s", death, ids.Detail), ids.Cure
		}
	}
	return e
}

// lastWords returns the end of the sandbox's log as one line.
func (a *Adapter) lastWords(id string) string {
	log, err := os.Open(a.dirs.Log(id))
	if err != nil {
		return ""
	}
	defer log.Close()
	text, err := tail(log)
	if err != nil {
		return ""
	}
	return logLines(text)
}

// tail reads the last words in a file.
func tail(f *os.File) (string, error) {
	const enough = 2 << 10
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	text := make([]byte, min(end, enough))
	n, err := f.ReadAt(text, end-int64(len(text)))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return string(text[:n]), err
}

// logLines takes the words out of a log in the format of Kubernetes: time,
// stream, a flag, text.
func logLines(log string) string {
	var lines []string
	for line := range strings.Lines(log) {
		if fields := strings.SplitN(strings.TrimSpace(line), " ", 4); len(fields) == 4 {
			lines = append(lines, fields[3])
		}
	}
	return strings.Join(lines, "; ")
}
