package quixand

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/templates/stock"
)

// BuildStock builds a template that comes with Quixand, one of [stock.Names],
// and calls it so unless opts say otherwise. The build argument BASE names
// another image than Debian's to begin with.
func (t *Templates) BuildStock(ctx context.Context, name string, opts *BuildOptions) (*Template, error) {
	built, err := t.buildStock(ctx, name, opts)
	return built, t.wrap("build template", err)
}

func (t *Templates) buildStock(ctx context.Context, name string, opts *BuildOptions) (*Template, error) {
	var full BuildOptions
	if opts != nil {
		full = *opts
	}
	if full.Recipe != nil {
		return nil, invalid("both a recipe and the stock template %s", name)
	}
	if !stock.Has(name) {
		return nil, &Error{
			Kind: ErrNotFound, Err: fmt.Errorf("no stock template %.120q", name),
			Hint: "there are " + strings.Join(stock.Names(), ", "),
		}
	}
	full.Name, full.Recipe = firstSet(full.Name, name), stock.Recipe(name)
	return t.build(ctx, "", &full)
}

// unbuilt is the error about a stock template that nobody has built here, nil
// for other names. An image of the user's own with such a name is let be. No
// registry is asked: what it has under a name like node is something else.
func unbuilt(ctx context.Context, store adapters.ImageStore, name string) error {
	if !stock.Has(name) {
		return nil
	}
	_, err := store.Image(ctx, name)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	return &Error{
		Kind: ErrNotFound, Err: fmt.Errorf("template %s comes with Quixand and has not been built", name),
		Hint: buildStockHint(name),
	}
}

func buildStockHint(name string) string { return "build it with: qs templates build --stock " + name }
