package podman

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// Image describes one image, by the engine's inspection.
func (a *Adapter) Image(ctx context.Context, name string) (*adapters.Image, error) {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return nil, err
	}
	var data struct {
		ID       string `json:"Id"`
		RepoTags []string
		Created  time.Time
		Size     int64
		Labels   map[string]string
	}
	if err := conn.call(ctx, http.MethodGet, "/images/%s/json", nil, nil, &data, name); err != nil {
		return nil, mapError(err)
	}
	return &adapters.Image{
		ID: data.ID, Names: data.RepoTags, Created: data.Created, Bytes: data.Size,
		Labels: data.Labels, Containers: -1,
	}, nil
}

// Images lists images by their labels.
func (a *Adapter) Images(ctx context.Context, labels map[string]string) ([]*adapters.Image, error) {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return nil, err
	}
	a.sweepBuilds(ctx, conn)
	var wanted []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		wanted = append(wanted, strings.TrimSuffix(k+"="+labels[k], "="))
	}
	listed, err := conn.listImages(ctx, "label", wanted...)
	if err != nil {
		return nil, mapError(err)
	}
	images := make([]*adapters.Image, 0, len(listed))
	for _, i := range listed {
		images = append(images, &adapters.Image{
			ID: i.ID, Names: i.Names, Created: time.Unix(i.Created, 0), Bytes: i.Size,
			Labels: i.Labels, Containers: i.Containers,
		})
	}
	slices.SortStableFunc(images, func(x, y *adapters.Image) int {
		return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(x.ID, y.ID))
	})
	return images, nil
}

// TagImage needs repository and tag apart.
func (a *Adapter) TagImage(ctx context.Context, image, name string) error {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return err
	}
	repo, tag := splitTag(name)
	query := url.Values{"repo": {repo}, "tag": {tag}}
	return mapError(conn.call(ctx, http.MethodPost, "/images/%s/tag", query, nil, nil, image))
}

// splitTag parts the tag from a reference that has one.
func splitTag(name string) (repo, tag string) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.Contains(name[i:], "/") {
		return name, "latest"
	}
	return name[:i], name[i+1:]
}

// RemoveImage removes one name of an image, or the image.
func (a *Adapter) RemoveImage(ctx context.Context, name string, force bool) error {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return err
	}
	return mapError(conn.removeImage(ctx, name, force))
}

// PushImage copies an image to a registry.
func (a *Adapter) PushImage(ctx context.Context, name, destination string, opts *adapters.RegistryOptions) error {
	query := url.Values{"destination": {destination}, "quiet": {"false"}, "tlsVerify": {strconv.FormatBool(!opts.Insecure)}}
	return a.transfer(ctx, "/images/%s/push", query, opts, name)
}

// PullImage fetches an image, also when there is one of this name.
func (a *Adapter) PullImage(ctx context.Context, name string, opts *adapters.RegistryOptions) error {
	query := url.Values{"reference": {name}, "policy": {"always"}, "tlsVerify": {strconv.FormatBool(!opts.Insecure)}}
	return a.transfer(ctx, "/images/pull", query, opts)
}

// transfer follows a pull or a push, whose reports are alike.
func (a *Adapter) transfer(ctx context.Context, path string, query url.Values, opts *adapters.RegistryOptions, args ...string) error {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return err
	}
	reports, err := conn.open(ctx, http.MethodPost, path, query, nil, args...)
	if err != nil {
		return mapError(err)
	}
	defer reports.Close()
	out := &progressLines{began: time.Now(), report: func(p adapters.Progress) { opts.Output(p.Message) }}
	return mapError(followPull(reports, out))
}

// ExportImage streams the image in the format that podman load reads.
func (a *Adapter) ExportImage(ctx context.Context, name string, w io.Writer) error {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return err
	}
	archive, err := conn.open(ctx, http.MethodGet, "/images/%s/get", url.Values{"format": {"oci-archive"}}, nil, name)
	if err != nil {
		return mapError(err)
	}
	defer archive.Close()
	_, err = io.Copy(w, archive)
	return mapError(err)
}

// ImportImage loads an archive.
func (a *Adapter) ImportImage(ctx context.Context, r io.Reader) ([]string, error) {
	conn, err := a.engine.use(ctx)
	if err != nil {
		return nil, err
	}
	var loaded struct{ Names []string }
	answer, err := conn.open(ctx, http.MethodPost, "/images/load", nil, r)
	if err != nil {
		return nil, mapError(err)
	}
	defer answer.Close()
	err = json.NewDecoder(answer).Decode(&loaded)
	return loaded.Names, mapError(err)
}
