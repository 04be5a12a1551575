package quixand

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

// Pruned tells what [Client.Prune] has removed.
type Pruned struct {
	Ended  []string `json:"ended"`  // sandboxes whose time was up
	Timers []string `json:"timers"` // ids of sandboxes that were gone and had timers
	Images []string `json:"images"` // that forks were made from which are gone
}

// Prune ends the sandboxes of this Quixand root whose time is up, and removes what
// dead sandboxes and creations that were cut short have left behind: containers,
// directories, timers. Nothing depends on it: what it finds would go in its own
// time, and [Client.List] does the same in passing.
func (c *Client) Prune(ctx context.Context) (*Pruned, error) {
	infos, err := c.adapter.List(ctx, adapters.Filter{Root: c.cfg.Root})
	if err != nil {
		return nil, c.wrap("prune", "", err)
	}
	left, ended := c.reapOverdue(ctx, infos)
	pruned := &Pruned{
		Ended:  append([]string{}, ended...),
		Timers: c.pruneTimers(ctx, <-c.askArmed(ctx), left),
		Images: []string{},
	}
	if p, ok := c.adapter.(adapters.Pruner); ok {
		images, err := p.Prune(ctx)
		pruned.Images = append(pruned.Images, images...)
		return pruned, c.wrap("prune", "", err)
	}
	return pruned, nil
}

// askArmed asks for which sandboxes systemd has timers, while the engine is
// asked for sandboxes, which takes longer.
func (c *Client) askArmed(ctx context.Context) chan []string {
	answer := make(chan []string, 1)
	go func() {
		defer close(answer)
		if e, _ := c.enforcement(); e.systemd != nil {
			ids, err := e.systemd.Armed(ctx)
			if err != nil {
				c.cfg.Logger.Debug("list timers", "error", err)
			}
			answer <- ids
		}
	}()
	return answer
}

// pruneTimers has systemd forget sandboxes that are gone. Their timers would
// fire once and find nothing.
func (c *Client) pruneTimers(ctx context.Context, armed []string, live []*Info) []string {
	pruned := []string{}
	for _, id := range armed {
		if slices.ContainsFunc(live, func(i *Info) bool { return i.ID == id }) {
			continue
		}
		// The list may be older than the sandbox.
		if _, gone := c.adapter.Get(ctx, id); errors.Is(gone, ErrNotFound) {
			c.disarm(ctx, id)
			pruned = append(pruned, id)
		}
	}
	return pruned
}

// checkEnforcers tells `qs doctor` who keeps the timeouts.
func (c *Client) checkEnforcers() Check {
	e, err := c.enforcement()
	check := Check{Name: "timeouts", Status: adapters.CheckOK}
	switch {
	case err != nil:
		check.Status, check.Detail = adapters.CheckFail, err.Error()
	case err == nil && c.hosted():
		check.Detail = "kept by the server"
	case e.without != nil && c.cfg.Enforcer == autoEnforcer:
		check.Status = adapters.CheckWarn
		check.Detail = "kept by each sandbox's agent, and by the program that creates it while it lives; " + e.without.Error()
		err = e.without
	default:
		check.Detail = "kept by: " + strings.Join(e.names, ", ")
	}
	if typed, ok := errors.AsType[*Error](err); ok {
		check.Cure = typed.Hint
	}
	return check
}
