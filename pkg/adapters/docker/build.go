package docker

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/distribution/reference"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/buildkit"
	"github.com/quixand/quixand/pkg/adapters"
)

// BuildImage has the daemon's BuildKit build an image, with the steps of earlier
// builds as its cache. The image gets its name when it is whole.
func (e *engine) BuildImage(ctx context.Context, spec *adapters.BuildSpec) (string, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return "", err
	}
	b := &buildkit.Build{BuildSpec: spec, Login: loginAt}
	if spec.Pull == adapters.PullNever {
		if b.Images, err = conn.imageNames(ctx); err != nil {
			return "", err
		}
	}
	id, err := b.Run(ctx, conn.hijack)
	if err != nil {
		return "", buildFailed(err)
	}
	return bareID(id), e.TagImage(ctx, id, spec.Tag)
}

// hijack is a [buildkit.Dial].
func (c *connection) hijack(ctx context.Context, path string, header map[string][]string) (net.Conn, error) {
	return c.DialHijack(ctx, path, "h2c", header)
}

// policies is the first version of the API whose BuildKit can be kept from
// asking registries.
const policies = "1.42"

// imageNames are the full names of the daemon's images.
func (c *connection) imageNames(ctx context.Context) ([]string, error) {
	if older(c.ClientVersion(), policies) {
		return nil, &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnsupported,
			Err:  fmt.Errorf("the daemon's API %s cannot build without asking registries", c.ClientVersion()),
			Hint: "use Docker 23 or newer, or another pull policy",
		}
	}
	listed, err := c.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return nil, mapError(err)
	}
	names := []string{}
	for i := range listed.Items {
		for _, name := range listed.Items[i].RepoTags {
			if named, err := reference.ParseNormalizedNamed(name); err == nil {
				names = append(names, named.String())
			}
		}
	}
	return names, nil
}

// buildFailed tells a failing instruction, which is the recipe's fault as far as
// one can see, from a failing daemon.
func buildFailed(err error) error {
	failed, ok := errors.AsType[*adapters.BuildError](err)
	if !ok {
		return mapError(err)
	}
	e := *mapped(failed.Err)
	if errors.Is(e.Kind, adapters.ErrInternal) {
		e.Kind = adapters.ErrInvalid
	}
	e.Err = failed
	return &e
}
