package quixand_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// cutter is an adapter whose way to the agents' leases can be cut.
type cutter struct {
	adapters.Adapter
	held chan context.CancelFunc // each cuts one attempt to hold a lease
}

func (c *cutter) Transport(ctx context.Context, id string, port int) (http.RoundTripper, error) {
	rt, err := c.Adapter.Transport(ctx, id, port)
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.Path != agentapi.PathLease {
			return rt.RoundTrip(req)
		}
		ctx, cut := context.WithCancel(req.Context())
		res, err := rt.RoundTrip(req.WithContext(ctx))
		c.held <- cut
		return res, err
	}), err
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func newCutter(t *testing.T) (*quixand.Client, *cutter) {
	t.Helper()
	engine := fake.NewEngine()
	t.Cleanup(func() { engine.Close() })
	inner, err := engine.Open(adapters.Config{})
	must(t, err)
	cut := &cutter{inner, make(chan context.CancelFunc, 64)}
	registry := new(adapters.Registry)
	registry.Register("cutter", func(adapters.Config) (adapters.Adapter, error) { return cut, nil })
	c, err := quixand.New(&quixand.Config{Adapter: "cutter", Registry: registry, Root: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c, cut
}

// A lease whose connection breaks is taken up again, again and again, and the
// sandbox does not notice.
func TestLeaseIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	c, cutter := newCutter(t)
	sb, err := c.Create(t.Context(), &quixand.Options{Ephemeral: true})
	must(t, err)
	for begin := time.Now(); time.Since(begin) < 7*time.Second; {
		cut := <-cutter.held
		time.Sleep(200 * time.Millisecond) // it is held for a while, or not
		cut()
	}
	_, err = sb.Status(t.Context())
	must(t, err)
	must(t, sb.Kill(t.Context()))
}

// Nothing asks for a lease on a sandbox that has ended, whoever has ended it.
func TestLeaseEndsWithItsSandbox(t *testing.T) {
	c, cutter := newCutter(t)
	sb, err := c.Create(t.Context(), &quixand.Options{Ephemeral: true})
	must(t, err)
	<-cutter.held
	must(t, c.Kill(t.Context(), sb.ID()))
	must(t, c.Close()) // it waits for whatever still holds
	if again := len(cutter.held); again > 1 {
		t.Errorf("%d attempts to hold a sandbox that was gone", again)
	}
}
