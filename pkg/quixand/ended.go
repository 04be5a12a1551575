package quixand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

// Ended is what is remembered of a sandbox for a day after its end: why, when,
// and its last words. The error of a call that came too late has it, for
// errors.As: var ended *quixand.Ended.
type Ended = adapters.Ended

// Ended tells how the sandbox with this id, name or unambiguous prefix of an id
// has ended. It
// is ErrNotFound while the sandbox lives, and when nothing is known of it.
func (c *Client) Ended(ctx context.Context, id string) (*Ended, error) {
	h, err := c.historian()
	if err != nil {
		return nil, c.wrap("ended", "", err)
	}
	err = ErrNotFound
	if adapters.ValidID(id) {
		var e *Ended
		if e, err = h.Ended(ctx, id); !errors.Is(err, ErrNotFound) {
			return e, c.wrap("ended", id, err)
		}
	}
	all, listErr := h.AllEnded(ctx)
	if listErr != nil {
		return nil, c.wrap("ended", id, listErr)
	}
	if e, ok := onlyOne(all, id); ok {
		return e, nil
	}
	return nil, c.wrap("ended", id, err)
}

// onlyOne finds the latest of a name, or the only one of a prefix.
func onlyOne(all []*Ended, ref string) (found *Ended, ok bool) {
	for _, e := range all {
		if e.Name == ref {
			return e, true
		}
	}
	for _, e := range all {
		if !strings.HasPrefix(e.ID, ref) {
			continue
		}
		if found != nil {
			return nil, false
		}
		found = e
	}
	return found, found != nil
}

// AllEnded tells of the sandboxes of this Quixand root that have ended lately,
// latest end first. Those that ended without anybody's notice are among them
// once they were looked for, as [Client.List] does.
func (c *Client) AllEnded(ctx context.Context) ([]*Ended, error) {
	h, err := c.historian()
	if err != nil {
		return nil, c.wrap("list ended", "", err)
	}
	all, err := h.AllEnded(ctx)
	return all, c.wrap("list ended", "", err)
}

// Wait waits until the sandbox with this id or unambiguous prefix has ended, and
// tells how. It does not keep the sandbox from ending.
func (c *Client) Wait(ctx context.Context, id string) (*Ended, error) {
	full, err := c.resolve(ctx, id)
	if err == nil {
		return c.wait(ctx, full)
	}
	if ended, ok := errors.AsType[*Ended](err); ok {
		return ended, nil
	}
	return nil, c.wrap("wait", "", err)
}

// Wait waits until the sandbox has ended, and tells how. It does not keep the
// sandbox from ending.
func (s *Sandbox) Wait(ctx context.Context) (*Ended, error) {
	return s.client.wait(ctx, s.id)
}

func (c *Client) wait(ctx context.Context, id string) (*Ended, error) {
	h, err := c.historian()
	if err != nil {
		return nil, c.wrap("wait", id, err)
	}
	e, err := h.AwaitEnded(ctx, id)
	return e, c.wrap("wait", id, err)
}

func (c *Client) historian() (adapters.Historian, error) {
	if h, ok := c.adapter.(adapters.Historian); ok {
		return h, nil
	}
	return nil, errNoHistory
}

var errNoHistory = &Error{Kind: ErrUnsupported, Err: errors.New("this adapter does not remember sandboxes that have ended")}

// mourn adds to the error of a call about a sandbox that is not there how that
// sandbox has ended, if somebody remembers. It asks no longer than is worth an
// explanation.
func (c *Client) mourn(ctx context.Context, id string, err error) error {
	if !errors.Is(err, ErrNotFound) || id == "" {
		return err
	}
	if _, ok := errors.AsType[*Ended](err); ok {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
	defer cancel()
	ended, unknown := c.Ended(ctx, id)
	if unknown != nil {
		return err
	}
	return &Error{ID: ended.ID, Kind: ErrNotFound, Err: ended, Hint: hintEnded(ended)}
}

func hintEnded(e *Ended) string {
	switch e.Reason {
	case adapters.ReasonIdle:
		return "create another, with a longer timeout if need be"
	case adapters.ReasonLifetime:
		return "create another, with a longer lifetime if need be"
	case adapters.ReasonMemory:
		return "create another, with more memory"
	}
	return "see its last words with: qs status " + e.ID
}

// killOptions is for the ends that users ask for.
func (c *Client) killOptions(noWait bool) adapters.KillOptions {
	return adapters.KillOptions{Reason: adapters.ReasonKilled, By: ownName(c.cfg.Name), NoWait: noWait}
}

// ownName tells who this process is, for those who ask who killed their sandbox.
func ownName(program string) string {
	if program == "" {
		program = filepath.Base(os.Args[0])
	}
	who := fmt.Sprint(os.Getuid())
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	return fmt.Sprintf("%s (pid %d, user %s)", program, os.Getpid(), who)
}
