package quixand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/quixand/quixand/internal/nearest"
	"github.com/quixand/quixand/pkg/templates/stock"
)

// isPath reports whether what was named as a template is a directory to build:
// as a shell would, by how it is written and not by what is there.
func isPath(name string) bool {
	return name == "." || name == ".." || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || filepath.IsAbs(name)
}

// resolveTemplate finds the image that a name means: a directory, which is
// built when it has to be, a template, or else the engine's own name for an
// image.
//
// What is no template has nothing but its name: nil labels, too.
func (c *Client) resolveTemplate(ctx context.Context, name string) (*Template, error) {
	t := c.Templates()
	if isPath(name) {
		return t.build(ctx, name, &BuildOptions{})
	}
	foreign := &Template{Image: name}
	ref, err := reference(strings.TrimPrefix(name, templateRepository))
	if err != nil {
		return foreign, nil // no template is called so
	}
	store, err := t.store()
	if err != nil {
		return foreign, nil
	}
	image, err := store.Image(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		return foreign, unbuilt(ctx, store, name)
	}
	if err != nil {
		return nil, err
	}
	return templateFrom(image, ref), nil
}

// suggested adds the templates that the user may have meant to the error about
// an image that is not there.
func (c *Client) suggested(ctx context.Context, name string, err error) error {
	e, ok := outermost(err)
	if !ok || !errors.Is(err, ErrNotFound) || name == "" {
		return err
	}
	if near := c.Templates().near(ctx, name); near != "" {
		with := *e
		with.Hint = near
		return &with
	}
	return err
}

// unknown says that there is no such template, and what there is instead.
func (t *Templates) unknown(ctx context.Context, name string) error {
	return &Error{Kind: ErrNotFound, Err: fmt.Errorf("no template %s", name), Hint: t.suggest(ctx, name)}
}

// suggest names the templates that the user may have meant.
func (t *Templates) suggest(ctx context.Context, name string) string {
	if stock.Has(name) {
		return buildStockHint(name)
	}
	return cmp.Or(t.near(ctx, name), "see what there is with: qs templates ls")
}

// near asks whether a name that is like this one was meant.
func (t *Templates) near(ctx context.Context, name string) string {
	all, err := t.list(ctx)
	if err != nil {
		return ""
	}
	bare, _, _ := strings.Cut(name, ":")
	known := stock.Names()
	for _, b := range all {
		known = append(known, b.Name)
	}
	near := nearest.To(bare, known)
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(near[:min(len(near), 3)], ", ") + "?"
}
