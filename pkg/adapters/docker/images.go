package docker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
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
	found := &adapters.Image{ID: bareID(told.ID), Names: told.RepoTags, Bytes: told.Size, Containers: -1}
	found.Created, _ = time.Parse(time.RFC3339Nano, told.Created)
	if told.Config != nil {
		found.Labels, found.Workdir, found.User = told.Config.Labels, told.Config.WorkingDir, told.Config.User
	}
	return found, nil
}

// Images lists images by their labels, and counts the containers of each, which
// the daemon does not.
func (e *engine) Images(ctx context.Context, labels map[string]string) ([]*adapters.Image, error) {
	found, err := e.listImages(ctx, make(client.Filters).Add("label", local.LabelFilter(labels)...))
	if err != nil {
		return nil, err
	}
	users, err := e.containers(ctx, nil)
	if err != nil {
		return nil, err
	}
	count := make(map[string]int)
	for _, c := range users {
		count[bareID(c.ImageID)]++
	}
	for _, i := range found {
		i.Containers = count[i.ID]
	}
	local.NewestFirst(found)
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
		ID: bareID(i.ID), Names: i.RepoTags, Created: time.Unix(i.Created, 0), Bytes: i.Size,
		Labels: i.Labels, Containers: int(i.Containers),
	}
}

// bareID is an id as it is of any engine, without the kind of its digest.
func bareID(id string) string { return strings.TrimPrefix(id, "sha256:") }

// TagImage gives an image a name.
func (e *engine) TagImage(ctx context.Context, image, name string) error {
	return e.do(ctx, func(c *connection) error {
		_, err := c.ImageTag(ctx, client.ImageTagOptions{Source: image, Target: name})
		return err
	})
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

// removeUsers removes the containers of an image, and not those of images that were
// made from it, which the daemon lists as well.
func (e *engine) removeUsers(ctx context.Context, name string) error {
	doomed, err := e.Image(ctx, name)
	if err != nil {
		return err
	}
	users, err := e.containers(ctx, make(client.Filters).Add("ancestor", doomed.ID))
	for c := range slices.Values(users) {
		if err == nil && bareID(c.ImageID) == doomed.ID {
			err = e.Remove(ctx, &local.Container{ID: c.ID})
		}
	}
	return err
}

// containers lists all containers that a filter selects.
func (e *engine) containers(ctx context.Context, filters client.Filters) ([]container.Summary, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	listed, err := conn.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	return listed.Items, mapError(err)
}

// ExportImage streams the image in the format that docker load reads, which
// since Docker 25 is an OCI archive, too.
func (e *engine) ExportImage(ctx context.Context, name string, w io.Writer) error {
	return e.do(ctx, func(c *connection) error {
		archive, err := c.ImageSave(ctx, []string{name})
		if err != nil {
			return err
		}
		defer archive.Close()
		_, err = io.Copy(w, archive)
		return err
	})
}

// ImportImage loads an archive.
func (e *engine) ImportImage(ctx context.Context, r io.Reader) (names []string, err error) {
	err = e.do(ctx, func(c *connection) error {
		answer, err := c.ImageLoad(ctx, r, client.ImageLoadWithQuiet(true))
		if err != nil {
			return err
		}
		defer answer.Close()
		names, err = loaded(answer)
		return err
	})
	return names, err
}

// loaded reads the names of what was loaded out of the daemon's words. An image
// without a name has its id there.
func loaded(answer io.Reader) (names []string, err error) {
	decoder := json.NewDecoder(answer)
	for {
		var said jsonstream.Message
		switch err := decoder.Decode(&said); {
		case errors.Is(err, io.EOF):
			return names, nil
		case err != nil:
			return nil, err
		case said.Error != nil:
			return nil, importFailed(said.Error)
		}
		_, name, ok := strings.Cut(strings.TrimSpace(said.Stream), ": ")
		if ok && strings.HasPrefix(said.Stream, "Loaded image") {
			names = append(names, name)
		}
	}
}

// importFailed takes what nobody knows for the archive's fault.
func importFailed(said error) error {
	e := mapped(said)
	if errors.Is(e.Kind, adapters.ErrInternal) {
		e.Kind, e.Hint = adapters.ErrInvalid, "give an archive that docker save has written"
	}
	return e
}
