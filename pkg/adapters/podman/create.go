package podman

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Facts refuses an engine of root's.
func (e *engine) Facts(ctx context.Context, certain bool) (*local.Facts, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	if e.host.ownedByRoot(conn.socket) {
		return nil, &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnsupported,
			Err:  fmt.Errorf("the engine at %s is root's: a sandbox would be root of this machine", conn.socket),
			Hint: "use a rootless engine: run as an ordinary user, and leave CONTAINER_HOST unset",
		}
	}
	addresses, err := e.host.addresses()
	if err != nil {
		return nil, mapError(err)
	}
	f := &local.Facts{
		Controllers: e.host.controllers(), LimitHint: hintLimit, Freezer: e.host.freezer(),
		Addresses: addresses, Shared: true,
		// Podman 4 cannot tell how a container has ended that it has removed since.
		Forgets: conn.version.Major < 5,
	}
	if certain {
		if told, err := e.getInfo(ctx); err == nil {
			f.Controllers = told.Host.CgroupControllers
		}
	}
	return f, nil
}

// Create makes a container, with the runtime that the user wants.
func (e *engine) Create(ctx context.Context, c *local.Spec) (string, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return "", err
	}
	made, err := e.createContainer(ctx, specFor(c, conn.version))
	if err != nil {
		return made.ID, err
	}
	for _, warning := range made.Warnings {
		e.log.Warn("the engine warns", "container", c.Name, "warning", warning)
	}
	return made.ID, e.checkRuntime(ctx, made.ID)
}

// checkRuntime makes sure that the container got the runtime that was asked
// for. The API takes the wish and ignores it, and a weaker isolation than the
// user believes in is worse than none.
func (e *engine) checkRuntime(ctx context.Context, container string) error {
	if e.runtime == "" {
		return nil
	}
	got, err := e.runtimeOf(ctx, container)
	if err != nil {
		return err
	}
	if !sameRuntime(got, e.runtime) {
		return &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnsupported,
			Err:  fmt.Errorf("the engine runs containers with %s and cannot be told over its API to use %s", got, e.runtime),
			Hint: hintRuntime,
		}
	}
	return nil
}

const hintRuntime = "make it the engine's default (runtime, under [engine] in containers.conf), or name an engine that uses it with CONTAINER_HOST"

// sameRuntime compares the engine's word, a name or a path, with the user's.
func sameRuntime(got, want string) bool {
	return got == want || filepath.Base(got) == want
}

// Explain looks for the reason of a death where it is not the agent's: without
// a range of ids, nothing can run as another user.
func (e *engine) Explain(ctx context.Context, death error) error {
	why := &adapters.Error{Adapter: Name, Kind: adapters.ErrInternal, Err: death}
	if info, err := e.getInfo(ctx); err == nil {
		if ids := checkIDs(info); ids.Status == adapters.CheckFail {
			why.Kind, why.Err, why.Hint = adapters.ErrUnavailable, fmt.Errorf("%w; this user has %s", death, ids.Detail), ids.Cure
		}
	}
	return why
}
