package quixand

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

// resolve gives the id of the sandbox that ref names: a whole id wins over a
// name, and a name over the beginning of an id. The engine is asked only when
// the adapter alone cannot tell.
func (c *Client) resolve(ctx context.Context, ref string) (string, error) {
	if !adapters.ValidID(ref) && !adapters.ValidName(ref) {
		return "", invalid("%q cannot be the id or the name of a sandbox", ref)
	}
	if r, ok := c.adapter.(adapters.Resolver); ok {
		if id, ok, err := r.Resolve(ref); ok || err != nil {
			return id, err
		}
	}
	infos, err := c.adapter.List(ctx, adapters.Filter{Root: c.cfg.Root})
	if err != nil {
		return "", err
	}
	id, err := choose(ref, infos)
	return id, c.mourn(ctx, ref, err)
}

func choose(ref string, infos []*Info) (string, error) {
	var named string
	var matches []string
	for _, info := range infos {
		switch {
		case info.ID == ref:
			return ref, nil
		case info.Name == ref:
			named = info.ID
		case strings.HasPrefix(info.ID, ref):
			matches = append(matches, info.ID)
		}
	}
	switch {
	case named != "":
		return named, nil
	case len(matches) == 0:
		return "", &Error{Kind: ErrNotFound, Err: fmt.Errorf("no sandbox %s", ref), Hint: "it may have ended; see what there is with: qs ps"}
	case len(matches) == 1:
		return matches[0], nil
	}
	e := invalid("%s is the beginning of %d sandboxes' ids", ref, len(matches))
	e.Hint = "one of " + strings.Join(matches[:min(len(matches), 5)], ", ")
	return "", e
}

// Rename gives the sandbox another name; an empty one takes it away. A name that
// another sandbox of the Quixand root has is ErrExists.
func (s *Sandbox) Rename(ctx context.Context, name string) error {
	return s.client.rename(ctx, s.id, name)
}

// Rename renames the sandbox that an id or a name names; see [Sandbox.Rename].
func (c *Client) Rename(ctx context.Context, id, name string) error {
	full, err := c.resolve(ctx, id)
	if err != nil {
		return c.wrap("rename", "", err)
	}
	return c.rename(ctx, full, name)
}

func (c *Client) rename(ctx context.Context, id, name string) error {
	if err := checkName(name); err != nil {
		return c.wrap("rename", id, err)
	}
	r, ok := c.adapter.(adapters.Renamer)
	if !ok {
		return c.wrap("rename", id, &Error{Kind: ErrUnsupported, Err: errors.New("this adapter's sandboxes cannot have names")})
	}
	return c.wrap("rename", id, r.Rename(ctx, id, name))
}
