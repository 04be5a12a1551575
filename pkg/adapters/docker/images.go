package docker

import (
	"context"
	"slices"
	"time"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Image describes one image.
func (e *engine) Image(ctx context.Context, name string) (*adapters.Image, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	told, err := conn.ImageInspect(ctx, name)
	if err != nil {
		return nil, mapError(err)
	}
	found := &adapters.Image{ID: told.ID, Names: told.RepoTags, Bytes: told.Size, Containers: -1}
	found.Created, _ = time.Parse(time.RFC3339Nano, told.Created)
	if told.Config != nil {
		found.Labels = told.Config.Labels
	}
	return found, nil
}

// ImagesOf lists the images of a repository.
func (e *engine) ImagesOf(ctx context.Context, repo string) ([]*adapters.Image, error) {
	return e.listImages(ctx, make(client.Filters).Add("reference", repo))
}

func (e *engine) listImages(ctx context.Context, filters client.Filters) ([]*adapters.Image, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	listed, err := conn.ImageList(ctx, client.ImageListOptions{Filters: filters})
	if err != nil {
		return nil, mapError(err)
	}
	var found []*adapters.Image
	for i := range listed.Items {
		found = append(found, neutralImage(&listed.Items[i]))
	}
	return found, nil
}

func neutralImage(i *image.Summary) *adapters.Image {
	return &adapters.Image{
		ID: i.ID, Names: i.RepoTags, Created: time.Unix(i.Created, 0), Bytes: i.Size,
		Labels: i.Labels, Containers: int(i.Containers),
	}
}

// RemoveImage removes a name, and the image when that was its last; by force also
// the containers that use it, which the daemon itself does not.
func (e *engine) RemoveImage(ctx context.Context, name string, force bool) error {
	if force {
		if err := e.removeUsers(ctx, name); err != nil {
			return err
		}
	}
	return e.do(ctx, func(c *connection) error {
		_, err := c.ImageRemove(ctx, name, client.ImageRemoveOptions{Force: force, PruneChildren: true})
		return err
	})
}

// removeUsers removes the containers of an image.
func (e *engine) removeUsers(ctx context.Context, name string) error {
	conn, err := e.use(ctx)
	if err != nil {
		return err
	}
	users, err := conn.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("ancestor", name)})
	if err != nil {
		return mapError(err)
	}
	for c := range slices.Values(users.Items) {
		if err := e.Remove(ctx, &local.Container{ID: c.ID}); err != nil {
			return err
		}
	}
	return nil
}
