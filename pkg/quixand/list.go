package quixand

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/labels"
	"github.com/quixand/quixand/pkg/adapters"
)

// ListOptions selects sandboxes for [Client.List]. Its zero value selects all of
// the Quixand root.
type ListOptions struct {
	Metadata map[string]string // all pairs must match exactly
	// Labels must all match exactly. Each sandbox that the other fields select
	// is asked for them; one that does not answer within a second, such as a
	// paused one or that of another Quixand root, has none.
	Labels   map[string]string
	Name     string  // empty: any, or none
	States   []State // nil: all
	AllRoots bool    // also the sandboxes of other Quixand roots of this user

	// Limit is how many there are in a page; zero is no limit. The next page
	// is that with After set to the Cursor of the last sandbox of this one,
	// which need not be there any more. What is created meanwhile is in none of
	// the later pages.
	Limit int
	After string
}

// List describes the sandboxes that the options select, newest first. nil
// selects all of this Quixand root. Those whose time is found to be up are ended
// and left out.
func (c *Client) List(ctx context.Context, opts *ListOptions) ([]*Info, error) {
	if opts == nil {
		opts = &ListOptions{}
	}
	infos, err := c.list(ctx, opts)
	return infos, c.wrap("list", "", err)
}

func (c *Client) list(ctx context.Context, opts *ListOptions) ([]*Info, error) {
	after, err := opts.check()
	if err != nil {
		return nil, err
	}
	infos, err := c.listUnexpired(ctx, adapters.Filter{
		Root:     c.cfg.Root,
		AllRoots: opts.AllRoots,
		Metadata: opts.Metadata,
		States:   opts.States,
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(infos, adapters.Newest)
	infos = slices.DeleteFunc(infos, func(i *Info) bool {
		return opts.Name != "" && i.Name != opts.Name || after != nil && adapters.Newest(i, after) <= 0
	})
	if len(opts.Labels) > 0 {
		return c.labelled(ctx, infos, opts)
	}
	if opts.Limit > 0 {
		infos = infos[:min(opts.Limit, len(infos))]
	}
	return infos, nil
}

// listUnexpired ends those whose time is found to be up. A list of all tells which
// timers are left of sandboxes that are gone, too.
func (c *Client) listUnexpired(ctx context.Context, filter adapters.Filter) ([]*Info, error) {
	var timers chan []string
	if len(filter.Metadata) == 0 && len(filter.States) == 0 {
		timers = c.askArmed(ctx)
	}
	infos, err := c.adapter.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	left, _ := c.reapOverdue(ctx, infos)
	if timers != nil {
		c.pruneTimers(ctx, <-timers, left)
	}
	return left, nil
}

// check returns the end of the page before, if there was one.
func (o *ListOptions) check() (after *Info, err error) {
	if o.Limit < 0 {
		return nil, invalid("limit of %d is less than nothing", o.Limit)
	}
	if err := labels.Check(o.Labels); err != nil {
		return nil, invalid("%v", err)
	}
	if err := checkName(o.Name); err != nil {
		return nil, err
	}
	if o.After == "" {
		return nil, nil
	}
	after, ok := adapters.ParseCursor(o.After)
	if !ok {
		return nil, invalid("%.80q is no cursor of a list", o.After)
	}
	return after, nil
}

const (
	// askedAtOnce bounds how many agents are asked for their labels at a time.
	askedAtOnce = 32
	// labelPatience is for one of them: it costs a millisecond.
	labelPatience = time.Second
)

// labelled selects by labels, and asks no more agents than it takes to fill the
// page.
func (c *Client) labelled(ctx context.Context, infos []*Info, opts *ListOptions) ([]*Info, error) {
	var found []*Info
	for some := range slices.Chunk(infos, askedAtOnce) {
		for i, match := range c.match(ctx, some, opts.Labels) {
			if match {
				found = append(found, some[i])
			}
			if opts.Limit > 0 && len(found) == opts.Limit {
				return found, nil
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (c *Client) match(ctx context.Context, infos []*Info, want map[string]string) []bool {
	matches := make([]bool, len(infos))
	var all sync.WaitGroup
	for i, info := range infos {
		if info.State != adapters.StateRunning || info.Root != c.cfg.Root {
			continue
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, labelPatience)
			defer cancel()
			rt, err := c.adapter.Transport(ctx, info.ID, adapters.AgentPort)
			if err != nil {
				return
			}
			status, err := agentclient.New(rt).Status(ctx)
			matches[i] = err == nil && labels.Match(status.Labels, want)
		})
	}
	all.Wait()
	return matches
}
