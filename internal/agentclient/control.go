package agentclient

import (
	"context"
	"math"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/labels"
	"github.com/quixand/quixand/pkg/adapters"
)

// Status asks how the agent and its sandbox's time are.
func (c *Client) Status(ctx context.Context) (*agentapi.Status, error) {
	return c.status(ctx, http.MethodGet, agentapi.PathStatus, nil)
}

// SetTimeout gives the sandbox a new idle timeout from now on; negative is
// none, and zero starts the present one anew.
func (c *Client) SetTimeout(ctx context.Context, idle time.Duration) (*agentapi.Status, error) {
	return c.status(ctx, http.MethodPost, agentapi.PathTimeout, agentapi.TimeoutRequest{IdleTimeout: agentapi.Duration(idle)})
}

// ChangeLabels sets some labels and removes others.
func (c *Client) ChangeLabels(ctx context.Context, set map[string]string, remove []string) (*agentapi.Status, error) {
	return c.status(ctx, http.MethodPost, agentapi.PathLabels, agentapi.LabelsRequest{Set: set, Remove: remove})
}

// Expire ends the sandbox if it has been idle for its timeout: Status.Expired
// tells. A sandbox in use is left alone, also if its use has only just begun.
func (c *Client) Expire(ctx context.Context) (*agentapi.Status, error) {
	return c.status(ctx, http.MethodPost, agentapi.PathExpire, nil)
}

// Keep keeps the sandbox from being idle until release is called, ctx ends,
// or this process does.
func (c *Client) Keep(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	res, err := c.do(newRequest(ctx, http.MethodGet, agentapi.PathKeep, nil, nil), http.StatusOK) //nolint:bodyclose // release closes it
	if err != nil {
		defer cancel()
		return nil, mapError(ctx, err)
	}
	return func() {
		cancel()
		res.Body.Close()
	}, nil
}

func (c *Client) status(ctx context.Context, method, path string, in any) (*agentapi.Status, error) {
	var s agentapi.Status
	if err := c.doJSON(ctx, method, path, in, &s); err != nil {
		return nil, err
	}
	if !adapters.ValidID(s.ID) {
		return nil, garbage("sandbox id %.40q", s.ID)
	}
	if err := labels.Check(s.Labels); err != nil {
		return nil, garbage("labels: %v", err)
	}
	for _, dir := range []string{s.Workdir, s.Home} {
		if !validDir(dir) {
			return nil, garbage("directory %.80q", dir)
		}
	}
	if s.InFlight < 0 || s.Processes < 0 {
		return nil, garbage("negative counts")
	}
	if s.Age < 0 || s.IdleFor < 0 {
		return nil, garbage("negative times")
	}
	if len(s.Enforcers) > maxEnforcers || slices.ContainsFunc(s.Enforcers, unreadable) || unreadable(s.OnTimeout) {
		return nil, garbage("enforcers %.80q, on timeout %.40q", s.Enforcers, s.OnTimeout)
	}
	return &s, nil
}

const maxEnforcers = 8

// unreadable is for words of ours.
func unreadable(word string) bool {
	return len(word) > 32 || strings.ContainsFunc(word, func(r rune) bool { return r < 'a' || r > 'z' })
}

// maxPath is the kernel's PATH_MAX.
const maxPath = 4096

func validDir(dir string) bool {
	return path.IsAbs(dir) && len(dir) < maxPath && !strings.ContainsRune(dir, 0)
}

// Init sets the environment of every command.
func (c *Client) Init(ctx context.Context, env map[string]string) error {
	in := struct {
		EnvVars map[string]string `json:"envVars"`
	}{env}
	return c.doJSON(ctx, http.MethodPost, "/init", in, nil)
}

// Usage asks what the sandbox uses.
func (c *Client) Usage(ctx context.Context) (*agentapi.Usage, error) {
	var u agentapi.Usage
	if err := c.doJSON(ctx, http.MethodGet, agentapi.PathUsage, nil, &u); err != nil {
		return nil, err
	}
	for _, v := range []int64{int64(u.CPUCount), u.MemoryTotal, u.MemoryUsed, u.MemoryCache, u.DiskTotal, int64(u.Processes)} {
		if v < 0 {
			return nil, garbage("negative usage")
		}
	}
	if !(u.CPUPercent >= 0) || math.IsInf(u.CPUPercent, 0) {
		return nil, garbage("CPU use of %v %%", u.CPUPercent)
	}
	return &u, nil
}

// AwaitEnd waits for the end of the agent and is nil then. It does not keep
// the sandbox from going idle.
func (c *Client) AwaitEnd(ctx context.Context) error { return c.await(ctx, agentapi.PathLife) }

// HoldLease is AwaitEnd by whom the sandbox belongs to.
func (c *Client) HoldLease(ctx context.Context) error { return c.await(ctx, agentapi.PathLease) }

func (c *Client) await(ctx context.Context, path string) error {
	res, err := c.do(newRequest(ctx, http.MethodGet, path, nil, nil), http.StatusOK)
	if err != nil {
		return mapError(ctx, err)
	}
	defer res.Body.Close()
	if n, _ := res.Body.Read(make([]byte, 1)); n > 0 {
		return garbage("data where there is none to be")
	}
	if ctx.Err() != nil {
		return mapError(ctx, ctx.Err())
	}
	return nil
}
