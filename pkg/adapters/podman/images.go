package podman

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Image describes one image, by the engine's inspection.
func (e *engine) Image(ctx context.Context, name string) (*adapters.Image, error) {
	var data struct {
		ID       string `json:"Id"`
		RepoTags []string
		Created  time.Time
		Size     int64
		Labels   map[string]string
		Config   struct{ WorkingDir, User string }
	}
	if err := e.call(ctx, http.MethodGet, "/images/%s/json", nil, nil, &data, name); err != nil {
		return nil, err
	}
	return &adapters.Image{
		ID: data.ID, Names: data.RepoTags, Created: data.Created, Bytes: data.Size,
		Labels: data.Labels, Containers: -1, Workdir: data.Config.WorkingDir, User: data.Config.User,
	}, nil
}

// Images lists images by their labels.
func (e *engine) Images(ctx context.Context, labels map[string]string) ([]*adapters.Image, error) {
	e.Sweep(ctx)
	listed, err := e.listImages(ctx, "label", local.LabelFilter(labels)...)
	if err != nil {
		return nil, err
	}
	local.NewestFirst(listed)
	return listed, nil
}

// ImagesOf lists the images of a repository.
func (e *engine) ImagesOf(ctx context.Context, repo string) ([]*adapters.Image, error) {
	return e.listImages(ctx, "reference", repo)
}

// TagImage needs repository and tag apart.
func (e *engine) TagImage(ctx context.Context, image, name string) error {
	repo, tag := splitTag(name)
	query := url.Values{"repo": {repo}, "tag": {tag}}
	return e.call(ctx, http.MethodPost, "/images/%s/tag", query, nil, nil, image)
}

// splitTag parts the tag from a reference that has one.
func splitTag(name string) (repo, tag string) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.Contains(name[i:], "/") {
		return name, "latest"
	}
	return name[:i], name[i+1:]
}

// RemoveImage removes a name, and the image when that was its last; by force also
// the containers that use it.
func (e *engine) RemoveImage(ctx context.Context, name string, force bool) error {
	query := url.Values{"force": {strconv.FormatBool(force)}}
	return e.call(ctx, http.MethodDelete, "/images/%s", query, nil, nil, name)
}

// ExportImage streams the image in the format that podman load reads.
func (e *engine) ExportImage(ctx context.Context, name string, w io.Writer) error {
	archive, err := e.open(ctx, http.MethodGet, "/images/%s/get", url.Values{"format": {"oci-archive"}}, nil, name)
	if err != nil {
		return err
	}
	defer archive.Close()
	_, err = io.Copy(w, archive)
	return mapError(err)
}

// ImportImage loads an archive.
func (e *engine) ImportImage(ctx context.Context, r io.Reader) ([]string, error) {
	var loaded struct{ Names []string }
	answer, err := e.open(ctx, http.MethodPost, "/images/load", nil, r)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	err = json.NewDecoder(answer).Decode(&loaded)
	return loaded.Names, mapError(err)
}
