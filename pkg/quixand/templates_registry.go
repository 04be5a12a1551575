package quixand

import (
	"context"
	"errors"

	imageref "github.com/distribution/reference"

	"github.com/quixand/quixand/pkg/adapters"
)

// RegistryOptions say how to speak to a registry. Output is told what the
// engine says; nil does without.
type RegistryOptions = adapters.RegistryOptions

// Push copies a template to a registry, under the reference that destination
// is, with the credentials that the user has given the engine's own tools. A
// registry that lets nobody in without is ErrPermission, one that does not
// answer ErrUnavailable.
func (t *Templates) Push(ctx context.Context, name, destination string, opts *RegistryOptions) error {
	return t.wrap("push template", t.push(ctx, name, destination, opts))
}

func (t *Templates) push(ctx context.Context, name, destination string, opts *RegistryOptions) error {
	if err := checkReference(destination); err != nil {
		return err
	}
	found, err := t.find(ctx, name)
	if err != nil {
		return err
	}
	store, err := t.store()
	if err != nil {
		return err
	}
	return store.PushImage(ctx, found.Image, destination, registryOptions(opts))
}

// Pull fetches an image from a registry and makes it the current build of a
// template. One that the registry has not is ErrNotFound; see
// [Templates.Push] for what else can happen.
func (t *Templates) Pull(ctx context.Context, source, name string, opts *RegistryOptions) (*Template, error) {
	pulled, err := t.pull(ctx, source, name, opts)
	return pulled, t.wrap("pull template", err)
}

func (t *Templates) pull(ctx context.Context, source, name string, opts *RegistryOptions) (*Template, error) {
	if err := errors.Join(checkReference(source), checkTemplateName(name)); err != nil {
		return nil, err
	}
	store, err := t.store()
	if err != nil {
		return nil, err
	}
	_, err = store.Image(ctx, source)
	had := err == nil
	if err := store.PullImage(ctx, source, registryOptions(opts)); err != nil {
		return nil, err
	}
	pulled, err := t.adopt(ctx, source, name)
	if err == nil && !had {
		// Else the image would stay when the template is removed.
		err = gone(store.RemoveImage(ctx, source, false))
	}
	return pulled, err
}

// checkReference keeps engines from understanding something else than an image
// in a registry: a file, a transport, or a registry on this host.
func checkReference(text string) error {
	if _, err := imageref.Parse(text); err != nil {
		e := invalid("image %.200q: %v", text, err)
		e.Hint = "name it as podman pull does: registry.example.com/team/name:tag"
		return e
	}
	return nil
}

func registryOptions(o *RegistryOptions) *RegistryOptions {
	var full RegistryOptions
	if o != nil {
		full = *o
	}
	if full.Output == nil {
		full.Output = func(string) {}
	}
	return &full
}
