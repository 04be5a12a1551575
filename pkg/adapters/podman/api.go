package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/containers/podman/v5/pkg/bindings"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
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

// neutral is the container in the words of all engines.
func (c *container) neutral() local.Container {
	n := local.Container{
		ID: c.ID, Labels: c.Labels, State: stateOf(c.State), Pid: c.Pid,
		Ended: c.Exited, ExitCode: c.ExitCode,
	}
	if len(c.Names) > 0 {
		n.Name = c.Names[0]
	}
	if c.Exited {
		n.EndedAt = time.Unix(c.ExitedAt, 0)
	}
	for _, p := range c.Ports {
		n.Ports = append(n.Ports, adapters.PortMapping{Port: int(p.ContainerPort), HostPort: int(p.HostPort)})
	}
	return n
}

func stateOf(state string) adapters.State {
	switch state {
	case "configured", "created", "initialized":
		return adapters.StateCreating
	case "running":
		return adapters.StateRunning
	case "paused":
		return adapters.StatePaused
	default: // stopping, stopped, exited, removing, unknown
		return adapters.StateStopped
	}
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

func (e *engine) createContainer(ctx context.Context, spec *containerSpec) (made createdContainer, err error) {
	body, err := json.Marshal(spec)
	if err != nil {
		return made, err
	}
	return made, e.call(ctx, http.MethodPost, "/containers/create", nil, bytes.NewReader(body), &made)
}

// Start starts a container's first process.
func (e *engine) Start(ctx context.Context, id string) error {
	return e.call(ctx, http.MethodPost, "/containers/%s/start", nil, nil, nil, id)
}

// removeContainer kills without grace and removes, volumes included.
func (e *engine) removeContainer(ctx context.Context, id string) error {
	query := url.Values{"force": {"true"}, "timeout": {"0"}, "volumes": {"true"}}
	err := e.call(ctx, http.MethodDelete, "/containers/%s", query, nil, nil, id)
	if diedMeanwhile(err) {
		err = e.call(ctx, http.MethodDelete, "/containers/%s", query, nil, nil, id)
	}
	return err
}

// listBuilding lists the containers that are not the engine's own but somebody's
// who shares its store, such as a builder's.
func (e *engine) listBuilding(ctx context.Context) (found []container, err error) {
	query := url.Values{"all": {"true"}, "external": {"true"}}
	err = e.call(ctx, http.MethodGet, "/containers/json", query, nil, &found)
	return slices.DeleteFunc(found, func(o container) bool { return o.State != "storage" }), err
}

// Wait returns the exit code once the container has ended. By its full
// id this works for a while after its removal, too.
func (e *engine) Wait(ctx context.Context, id string) (code int, err error) {
	return code, e.call(ctx, http.MethodPost, "/containers/%s/wait", nil, nil, &code, id)
}

// Pause freezes a container by its control group.
func (e *engine) Pause(ctx context.Context, id string) error {
	err := e.call(ctx, http.MethodPost, "/containers/%s/pause", nil, nil, nil, id)
	if errors.Is(err, adapters.ErrExhausted) {
		e.thawUnknown(ctx, id)
	}
	return err
}

// Unpause thaws a container.
func (e *engine) Unpause(ctx context.Context, id string) error {
	return e.call(ctx, http.MethodPost, "/containers/%s/unpause", nil, nil, nil, id)
}

// Rename gives a container another name.
func (e *engine) Rename(ctx context.Context, id, name string) error {
	return e.call(ctx, http.MethodPost, "/containers/%s/rename", url.Values{"name": {name}}, nil, nil, id)
}

func (e *engine) listContainers(ctx context.Context, labels ...string) (found []container, err error) {
	query := url.Values{"all": {"true"}, "filters": {asJSON(map[string][]string{"label": labels})}}
	return found, e.call(ctx, http.MethodGet, "/containers/json", query, nil, &found)
}

// listStored lists containers by the names that a sandbox's can have, and among
// them those that are in the engine's store alone.
func (e *engine) listStored(ctx context.Context, container string) (found []container, err error) {
	name := "^" + container + `(\.|$)`
	query := url.Values{"all": {"true"}, "external": {"true"}, "filters": {asJSON(map[string][]string{"name": {name}})}}
	return found, e.call(ctx, http.MethodGet, "/containers/json", query, nil, &found)
}

// lookInside has the engine list a container's processes, which it can do while
// there are any.
func (e *engine) lookInside(ctx context.Context, id string) error {
	return e.call(ctx, http.MethodGet, "/containers/%s/top", nil, nil, nil, id)
}

// runtimeOf returns the OCI runtime that a container was made for.
func (e *engine) runtimeOf(ctx context.Context, id string) (string, error) {
	var data struct{ OCIRuntime string }
	err := e.call(ctx, http.MethodGet, "/containers/%s/json", nil, nil, &data, id)
	return data.OCIRuntime, err
}

// OutOfMemory reports whether the kernel has killed the container's first
// process for want of memory, by what its monitor has seen.
func (e *engine) OutOfMemory(ctx context.Context, id string) (bool, error) {
	var data struct{ State struct{ OOMKilled bool } }
	err := e.call(ctx, http.MethodGet, "/containers/%s/json", nil, nil, &data, id)
	return data.State.OOMKilled, err
}

func (e *engine) containerExists(ctx context.Context, id string) (bool, error) {
	err := e.call(ctx, http.MethodGet, "/containers/%s/exists", nil, nil, nil, id)
	if errors.Is(err, adapters.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// sizeOf returns how many bytes a container has written. The engine looks at each
// file for that.
func (e *engine) sizeOf(ctx context.Context, id string) (int64, error) {
	var data struct{ SizeRw int64 }
	err := e.call(ctx, http.MethodGet, "/containers/%s/json", url.Values{"size": {"true"}}, nil, &data, id)
	return data.SizeRw, err
}

// memoryOf returns how much memory a container uses, or zero where no controller
// counts it.
func (e *engine) memoryOf(ctx context.Context, id string) (int64, error) {
	var data struct {
		Stats []struct{ MemUsage int64 }
	}
	query := url.Values{"containers": {id}, "stream": {"false"}}
	err := e.call(ctx, http.MethodGet, "/containers/stats", query, nil, &data)
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

// Commit makes an image of a container's file system.
func (e *engine) Commit(ctx context.Context, id, repo, tag string, pause bool) error {
	err := e.call(ctx, http.MethodPost, "/commit", commitQuery{repo, tag, pause}.values(id), nil, nil)
	if errors.Is(err, adapters.ErrExhausted) {
		e.thawUnknown(ctx, id)
	}
	return err
}

// listImages lists the images that a filter selects, without the layers that
// only cache builds: those of a repository, whatever their tags, by "reference".
func (e *engine) listImages(ctx context.Context, filter string, values ...string) ([]*adapters.Image, error) {
	query := url.Values{"filters": {asJSON(map[string][]string{filter: values})}}
	var listed []image
	if err := e.call(ctx, http.MethodGet, "/images/json", query, nil, &listed); err != nil {
		return nil, err
	}
	found := make([]*adapters.Image, 0, len(listed))
	for _, i := range listed {
		found = append(found, &adapters.Image{
			ID: i.ID, Names: i.Names, Created: time.Unix(i.Created, 0), Bytes: i.Size,
			Labels: i.Labels, Containers: i.Containers,
		})
	}
	return found, nil
}

// pullImage streams the engine's reports, one JSON object after the other.
func (e *engine) pullImage(ctx context.Context, name, policy string) (io.ReadCloser, error) {
	query := url.Values{"reference": {name}, "policy": {policy}}
	return e.stream(ctx, http.MethodPost, "/images/pull", query)
}

// events streams what has happened to containers with a label, and what happens
// from now on where it is to follow, as JSON objects. Of several labels one
// would do for the engine.
func (e *engine) events(ctx context.Context, follow bool, since, label string) (io.ReadCloser, error) {
	selected := asJSON(map[string][]string{"type": {"container"}, "label": {label}})
	query := url.Values{"stream": {strconv.FormatBool(follow)}, "since": {since}, "filters": {selected}}
	return e.stream(ctx, http.MethodGet, "/events", query)
}

// getInfo takes the engine 100 ms.
func (e *engine) getInfo(ctx context.Context) (info *systemInfo, err error) {
	info = new(systemInfo)
	return info, e.call(ctx, http.MethodGet, "/info", nil, nil, info)
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
func (e *engine) request(ctx context.Context, method, path string, query url.Values, header http.Header, body io.Reader, args ...string) (*bindings.APIResponse, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := conn.DoRequest(ctx, body, method, path, query, header, args...)
	return resp, mapError(err)
}

// call is a request with one answer, which is decoded into out.
func (e *engine) call(ctx context.Context, method, path string, query url.Values, body io.Reader, out any, args ...string) error {
	resp, err := e.request(ctx, method, path, query, nil, body, args...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return mapError(resp.Process(out))
}

// stream is a request whose answer goes on for a while.
func (e *engine) stream(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	return e.open(ctx, method, path, query, nil)
}

// open is stream for a path with verbs, and with a tar stream to send or nil.
func (e *engine) open(ctx context.Context, method, path string, query url.Values, tar io.Reader, args ...string) (io.ReadCloser, error) {
	header := make(http.Header)
	if tar != nil {
		header.Set("Content-Type", "application/x-tar")
	}
	resp, err := e.request(ctx, method, path, query, header, tar, args...)
	if err != nil {
		return nil, err
	}
	if !resp.IsSuccess() {
		defer resp.Body.Close()
		return nil, mapError(resp.Process(nil))
	}
	return resp.Body, nil
}
