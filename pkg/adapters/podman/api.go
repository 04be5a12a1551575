package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/containers/podman/v5/pkg/bindings"
)

// The calls of Podman's API that this adapter makes. The bindings carry them:
// they know the API's paths and its errors. Their packages for containers,
// images and the rest of the system are not used, for they link the engine
// itself: 500 packages with C libraries such as gpgme and btrfs, without which
// no program that imports this adapter could be built unless it set the same
// build tags, and twice the size and the start time for every qs.

// container is what a list tells of one.
type container struct {
	ID       string `json:"Id"`
	Names    []string
	State    string
	Labels   map[string]string
	Pid      int
	Exited   bool
	ExitedAt int64 // Unix time
	ExitCode int
	Ports    []portMapping
}

// systemInfo is what the engine says about itself and its host.
type systemInfo struct {
	Version struct{ Version string }
	Host    struct {
		CgroupVersion     string
		CgroupControllers []string
		Security          struct{ Rootless bool }
		IDMappings        struct{ UIDMap, GIDMap []struct{ Size int } }
		OCIRuntime        struct{ Name string }
		Pasta             struct{ Executable string }
		Slirp4NetNS       struct{ Executable string }
	}
	Store struct{ GraphDriverName, GraphRoot string }
}

// createdContainer is the answer to a creation.
type createdContainer struct {
	ID       string `json:"Id"`
	Warnings []string
}

func (c *connection) createContainer(ctx context.Context, spec *containerSpec) (made createdContainer, err error) {
	body, err := json.Marshal(spec)
	if err != nil {
		return made, err
	}
	return made, c.call(ctx, http.MethodPost, "/containers/create", nil, bytes.NewReader(body), &made)
}

func (c *connection) startContainer(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, "/containers/%s/start", nil, nil, nil, id)
}

// removeContainer kills without grace and removes, volumes included.
func (c *connection) removeContainer(ctx context.Context, id string) error {
	query := url.Values{"force": {"true"}, "timeout": {"0"}, "volumes": {"true"}}
	err := c.call(ctx, http.MethodDelete, "/containers/%s", query, nil, nil, id)
	if diedMeanwhile(err) {
		err = c.call(ctx, http.MethodDelete, "/containers/%s", query, nil, nil, id)
	}
	return err
}

// listBuilding lists the containers that are not the engine's own but somebody's
// who shares its store, such as a builder's.
func (c *connection) listBuilding(ctx context.Context) (found []container, err error) {
	query := url.Values{"all": {"true"}, "external": {"true"}}
	err = c.call(ctx, http.MethodGet, "/containers/json", query, nil, &found)
	return slices.DeleteFunc(found, func(o container) bool { return o.State != "storage" }), err
}

// waitContainer returns the exit code once the container has ended. By its full
// id this works for a while after its removal, too.
func (c *connection) waitContainer(ctx context.Context, id string) (code int, err error) {
	return code, c.call(ctx, http.MethodPost, "/containers/%s/wait", nil, nil, &code, id)
}

func (c *connection) pauseContainer(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, "/containers/%s/pause", nil, nil, nil, id)
}

func (c *connection) unpauseContainer(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, "/containers/%s/unpause", nil, nil, nil, id)
}

func (c *connection) renameContainer(ctx context.Context, id, name string) error {
	return c.call(ctx, http.MethodPost, "/containers/%s/rename", url.Values{"name": {name}}, nil, nil, id)
}

func (c *connection) listContainers(ctx context.Context, labels ...string) (found []container, err error) {
	query := url.Values{"all": {"true"}, "filters": {asJSON(map[string][]string{"label": labels})}}
	return found, c.call(ctx, http.MethodGet, "/containers/json", query, nil, &found)
}

// listStored lists containers by the names that a sandbox's can have, and among
// them those that are in the engine's store alone.
func (c *connection) listStored(ctx context.Context, id string) (found []container, err error) {
	name := "^" + containerName(id) + `(\.|$)`
	query := url.Values{"all": {"true"}, "external": {"true"}, "filters": {asJSON(map[string][]string{"name": {name}})}}
	return found, c.call(ctx, http.MethodGet, "/containers/json", query, nil, &found)
}

// lookInside has the engine list a container's processes, which it can do while
// there are any.
func (c *connection) lookInside(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodGet, "/containers/%s/top", nil, nil, nil, id)
}

// runtimeOf returns the OCI runtime that a container was made for.
func (c *connection) runtimeOf(ctx context.Context, id string) (string, error) {
	var data struct{ OCIRuntime string }
	err := c.call(ctx, http.MethodGet, "/containers/%s/json", nil, nil, &data, id)
	return data.OCIRuntime, err
}

// outOfMemory reports whether the kernel has killed the container's first
// process for want of memory, by what its monitor has seen.
func (c *connection) outOfMemory(ctx context.Context, id string) (bool, error) {
	var data struct{ State struct{ OOMKilled bool } }
	err := c.call(ctx, http.MethodGet, "/containers/%s/json", nil, nil, &data, id)
	return data.State.OOMKilled, err
}

func (c *connection) containerExists(ctx context.Context, id string) (bool, error) {
	return c.exists(ctx, "/containers/%s/exists", id)
}

func (c *connection) imageExists(ctx context.Context, name string) (bool, error) {
	return c.exists(ctx, "/images/%s/exists", name)
}

func (c *connection) exists(ctx context.Context, path, name string) (bool, error) {
	resp, err := c.request(ctx, http.MethodGet, path, nil, nil, name)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return true, resp.Process(nil)
}

// sizeOf returns how many bytes a container has written. The engine looks at each
// file for that.
func (c *connection) sizeOf(ctx context.Context, id string) (int64, error) {
	var data struct{ SizeRw int64 }
	err := c.call(ctx, http.MethodGet, "/containers/%s/json", url.Values{"size": {"true"}}, nil, &data, id)
	return data.SizeRw, err
}

// memoryOf returns how much memory a container uses, or zero where no controller
// counts it.
func (c *connection) memoryOf(ctx context.Context, id string) (int64, error) {
	var data struct {
		Stats []struct{ MemUsage int64 }
	}
	query := url.Values{"containers": {id}, "stream": {"false"}}
	err := c.call(ctx, http.MethodGet, "/containers/stats", query, nil, &data)
	if err != nil || len(data.Stats) != 1 {
		return 0, err
	}
	return data.Stats[0].MemUsage, nil
}

// image is what a list tells of one.
type image struct {
	ID         string `json:"Id"`
	Names      []string
	Labels     map[string]string
	Created    int64 // Unix time
	Size       int64
	Containers int
}

// commitContainer makes an image of a container's file system. The changes are
// in the words of a Containerfile.
func (c *connection) commitContainer(ctx context.Context, id string, q commitQuery) error {
	return c.call(ctx, http.MethodPost, "/commit", q.values(id), nil, nil)
}

// listImages lists the images that a filter selects, without the layers that
// only cache builds: those of a repository, whatever their tags, by "reference".
func (c *connection) listImages(ctx context.Context, filter string, values ...string) (found []image, err error) {
	query := url.Values{"filters": {asJSON(map[string][]string{filter: values})}}
	return found, c.call(ctx, http.MethodGet, "/images/json", query, nil, &found)
}

// removeImage removes a name, and the image when that was its last; by force also
// the containers that use it.
func (c *connection) removeImage(ctx context.Context, name string, force bool) error {
	query := url.Values{"force": {strconv.FormatBool(force)}}
	return c.call(ctx, http.MethodDelete, "/images/%s", query, nil, nil, name)
}

// pullImage streams the engine's reports, one JSON object after the other.
func (c *connection) pullImage(ctx context.Context, name, policy string) (io.ReadCloser, error) {
	query := url.Values{"reference": {name}, "policy": {policy}}
	return c.stream(ctx, http.MethodPost, "/images/pull", query)
}

// events streams what has happened to containers with a label, and what happens
// from now on where it is to follow, as JSON objects. Of several labels one
// would do for the engine.
func (c *connection) events(ctx context.Context, follow bool, since, label string) (io.ReadCloser, error) {
	selected := asJSON(map[string][]string{"type": {"container"}, "label": {label}})
	query := url.Values{"stream": {strconv.FormatBool(follow)}, "since": {since}, "filters": {selected}}
	return c.stream(ctx, http.MethodGet, "/events", query)
}

// getInfo takes the engine 100 ms.
func (c *connection) getInfo(ctx context.Context) (info *systemInfo, err error) {
	info = new(systemInfo)
	return info, c.call(ctx, http.MethodGet, "/info", nil, nil, info)
}

// asJSON is for parameters of a query, whose values always marshal.
func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// request sends one request. The path's verbs are filled with args.
func (c *connection) request(ctx context.Context, method, path string, query url.Values, body io.Reader, args ...string) (*bindings.APIResponse, error) {
	return c.DoRequest(ctx, body, method, path, query, nil, args...)
}

// call is a request with one answer, which is decoded into out.
func (c *connection) call(ctx context.Context, method, path string, query url.Values, body io.Reader, out any, args ...string) error {
	resp, err := c.request(ctx, method, path, query, body, args...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return resp.Process(out)
}

// stream is a request whose answer goes on for a while.
func (c *connection) stream(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	return c.open(ctx, method, path, query, nil)
}

// open is stream for a path with verbs, and with a tar stream to send or nil.
func (c *connection) open(ctx context.Context, method, path string, query url.Values, tar io.Reader, args ...string) (io.ReadCloser, error) {
	header := make(http.Header)
	if tar != nil {
		header.Set("Content-Type", "application/x-tar")
	}
	resp, err := c.DoRequest(ctx, tar, method, path, query, header, args...)
	if err != nil {
		return nil, err
	}
	if !resp.IsSuccess() {
		defer resp.Body.Close()
		return nil, resp.Process(nil)
	}
	return resp.Body, nil
}
