package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Which registries may do without TLS is for the daemon's configuration to say,
// and so is the loopback, which may. RegistryOptions.Insecure changes neither.

// PushImage copies an image to a registry. The daemon pushes by names only, so
// that the image has the destination's meanwhile.
func (e *engine) PushImage(ctx context.Context, name, destination string, opts *adapters.RegistryOptions) error {
	pushed, err := e.Image(ctx, name)
	if err != nil {
		return err
	}
	before, err := e.Image(ctx, destination)
	if err != nil && !errors.Is(err, adapters.ErrNotFound) {
		return err
	}
	if err := e.TagImage(ctx, pushed.ID, destination); err != nil {
		return err
	}
	err = e.transfer(ctx, destination, opts, func(c *connection, auth string) (answer, error) {
		return c.ImagePush(ctx, destination, client.ImagePushOptions{RegistryAuth: auth})
	})
	left := e.takeBack(context.WithoutCancel(ctx), destination, before)
	if err == nil {
		return left
	}
	return local.AlsoLeft(err, left)
}

// takeBack gives a name back to the image that had it, if any.
func (e *engine) takeBack(ctx context.Context, name string, before *adapters.Image) error {
	if before == nil {
		return e.RemoveImage(ctx, name, false)
	}
	return e.TagImage(ctx, before.ID, name)
}

// PullImage fetches an image, also when there is one of this name.
func (e *engine) PullImage(ctx context.Context, name string, opts *adapters.RegistryOptions) error {
	return e.transfer(ctx, name, opts, func(c *connection, auth string) (answer, error) {
		return c.ImagePull(ctx, name, client.ImagePullOptions{RegistryAuth: auth})
	})
}

// answer is what the daemon says during a transfer.
type answer interface {
	JSONMessages(context.Context) iter.Seq2[jsonstream.Message, error]
	Close() error
}

// transfer follows a pull or a push. Its errors are of one line.
func (e *engine) transfer(ctx context.Context, remote string, opts *adapters.RegistryOptions, begin func(*connection, string) (answer, error)) error {
	conn, err := e.use(ctx)
	if err != nil {
		return err
	}
	auth, err := authFor(remote)
	if err != nil {
		return mapError(err)
	}
	reports, err := begin(conn, auth)
	if err == nil {
		defer reports.Close()
		err = follow(reports.JSONMessages(ctx), opts.Output)
	}
	if err == nil {
		return nil
	}
	return transferFailed(ctx, remote, err)
}

// transferFailed takes what nobody knows for the registry's fault.
func transferFailed(ctx context.Context, remote string, err error) error {
	failed := *mapped(err)
	if ctx.Err() != nil {
		return &failed
	}
	switch {
	case errors.Is(failed.Kind, adapters.ErrInternal):
		failed.Kind = adapters.ErrUnavailable
	case errors.Is(failed.Kind, adapters.ErrPermission):
		failed.Hint = hintLogin
	case errors.Is(failed.Kind, adapters.ErrUnavailable):
		failed.Hint = cmp.Or(failed.Hint, hintNetwork)
	}
	said, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	failed.Err = fmt.Errorf("%s: %s", remote, strings.TrimPrefix(said, "Error response from daemon: "))
	return &failed
}
