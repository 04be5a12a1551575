package podman

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	// undoTimeout bounds the removal of what a failed creation has made.
	undoTimeout = 30 * time.Second
	// defaultGrace is how long a call that makes something may go on after
	// its caller has given up. The engine does not stop half-way: what it has
	// been asked for comes into being, and can be removed only then.
	defaultGrace = 5 * time.Second
)

// Create makes a container whose first process is the agent, and returns when
// the agent answers.
func (a *Adapter) Create(ctx context.Context, spec *adapters.Spec) (*adapters.Info, error) {
	info, err := a.create(ctx, spec)
	if err != nil {
		e := *mapped(err)
		e.Adapter = Name
		return nil, &e
	}
	return info, nil
}

func (a *Adapter) create(ctx context.Context, spec *adapters.Spec) (*adapters.Info, error) {
	created := time.Now()
	agent, err := a.agent.Find(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := a.engine.use(ctx)
	if err != nil {
		return nil, err
	}
	container, err := a.specify(ctx, conn, spec, agent, created)
	if err != nil {
		return nil, err
	}
	unlock, err := a.reserve(ctx, conn, spec.ID, spec.Name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	claim, err := a.dirs.Create(spec.ID)
	if errors.Is(err, fs.ErrExist) {
		return nil, &adapters.Error{Kind: adapters.ErrExists, Err: fmt.Errorf("there is a sandbox %s already", spec.ID)}
	}
	if err != nil {
		return nil, err
	}
	defer claim.Release()
	c := &creation{Adapter: a, conn: conn, spec: spec, container: container}
	info, err := c.run(ctx)
	if err != nil {
		return nil, c.undo(ctx, claim, err)
	}
	if spec.Name != "" {
		a.noteName(spec.ID, spec.Name)
	}
	a.log.Debug("created", "sandbox", spec.ID, "elapsed", time.Since(created))
	return info, nil
}

// specify refuses what cannot be had before anything is made.
func (a *Adapter) specify(ctx context.Context, conn *connection, spec *adapters.Spec, agent string, created time.Time) (*containerSpec, error) {
	if a.host.ownedByRoot(conn.socket) {
		return nil, &adapters.Error{
			Kind: adapters.ErrUnsupported,
			Err:  fmt.Errorf("the engine at %s is root's: a sandbox would be root of this machine", conn.socket),
			Hint: "use a rootless engine: run as an ordinary user, and leave CONTAINER_HOST unset",
		}
	}
	addresses, err := a.host.addresses()
	if err != nil {
		return nil, err
	}
	f := &facts{
		api: conn.version, controllers: a.host.controllers(), addresses: addresses,
		image: a.imageOf(spec), agent: agent, dir: a.dirs.Sandbox(spec.ID), log: a.dirs.Log(spec.ID), created: created,
		boot: bootclock.Now(), freezer: a.host.freezer(),
	}
	container, err := specFor(spec, f)
	if !errors.Is(err, adapters.ErrUnsupported) {
		return container, err
	}
	// Before a refusal the engine itself is asked; it may live elsewhere
	// than where this process looks.
	if told, ask := conn.getInfo(ctx); ask == nil {
		f.controllers = told.Host.CgroupControllers
	}
	return specFor(spec, f)
}

// creation is one sandbox in the making.
type creation struct {
	*Adapter
	conn      *connection
	spec      *adapters.Spec
	container *containerSpec
	id        string // the engine's, once there is one
	maybe     bool   // the engine was asked for a container and did not answer
	lost      bool   // the engine was asked to start it and did not answer
}

func (c *creation) run(ctx context.Context) (*adapters.Info, error) {
	if c.spec.Fork != "" {
		if err := c.copySource(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.obtain(ctx); err != nil {
		return nil, err
	}
	if err := c.checkRuntime(ctx); err != nil {
		return nil, err
	}
	// Watch before there is anything to see.
	watch, err := c.watcher.Watch(c.dirs.Sandbox(c.spec.ID))
	if err != nil {
		return nil, err
	}
	defer watch.Close()
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	born := c.remember()
	defer born.Wait()
	if err := c.ready(ctx, watch); err != nil {
		return nil, err
	}
	return c.info(ctx)
}

// obtain makes the container, and fetches its image first when it should or
// must. Whether the image is there is found out by trying, which costs
// nothing.
func (c *creation) obtain(ctx context.Context) error {
	if c.spec.Pull == adapters.PullAlways {
		if err := c.pull(ctx); err != nil {
			return err
		}
	}
	err := c.make(ctx)
	if c.spec.Pull != adapters.PullMissing || !errors.Is(err, adapters.ErrNotFound) {
		return err
	}
	if err := c.pull(ctx); err != nil {
		return err
	}
	return c.make(ctx)
}

// make asks the engine for the container.
func (c *creation) make(ctx context.Context) error {
	return phase(ctx, c.spec, adapters.PhaseCreate, c.spec.Budgets.Create, func(ctx context.Context) error {
		patient, cancel := outlive(ctx, c.grace)
		defer cancel()
		made, err := c.conn.createContainer(patient, c.container)
		c.id = made.ID
		if err != nil {
			_, silent := errors.AsType[*transportError](err)
			c.maybe = c.maybe || silent
			return err
		}
		for _, warning := range made.Warnings {
			c.log.Warn("the engine warns", "sandbox", c.spec.ID, "warning", warning)
		}
		return ctx.Err()
	})
}

// checkRuntime makes sure that the container got the runtime that was asked
// for. The API takes the wish and ignores it, and a weaker isolation than the
// user believes in is worse than none.
func (c *creation) checkRuntime(ctx context.Context) error {
	if c.runtime == "" {
		return nil
	}
	got, err := c.conn.runtimeOf(ctx, c.id)
	if err != nil {
		return err
	}
	if !sameRuntime(got, c.runtime) {
		return &adapters.Error{
			Kind: adapters.ErrUnsupported,
			Err:  fmt.Errorf("the engine runs containers with %s and cannot be told over its API to use %s", got, c.runtime),
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

func (c *creation) start(ctx context.Context) error {
	return phase(ctx, c.spec, adapters.PhaseStart, c.spec.Budgets.Start, func(ctx context.Context) error {
		patient, cancel := outlive(ctx, c.grace)
		defer cancel()
		if err := c.conn.startContainer(patient, c.id); err != nil {
			_, c.lost = errors.AsType[*transportError](err)
			return err
		}
		return ctx.Err()
	})
}

// remember leaves a record of the birth, while the agent is waited for.
func (c *creation) remember() *sync.WaitGroup {
	var done sync.WaitGroup
	done.Go(func() {
		birth, err := c.birthOf(c.container.Labels)
		if err == nil {
			birth.Name = c.spec.Name
			err = c.graves.Born(birth)
		}
		if err != nil {
			c.log.Debug("remember the birth", "sandbox", c.spec.ID, "error", err)
		}
	})
	return &done
}

// undo removes what the creation has made, whatever became of its context. It
// returns why that was necessary.
func (c *creation) undo(ctx context.Context, claim *statedir.Claim, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	left := c.removeMade(ctx)
	if left == nil {
		// Else directory and record tell the next sweep that there is something.
		left = errors.Join(
			c.removeForkImage(ctx, c.conn, c.spec.ID, c.spec.Fork),
			c.clear(ctx, c.spec.ID, claim), c.graves.Unborn(c.spec.ID),
		)
	}
	return alsoLeft(why, left)
}

// alsoLeft adds to an error what could not be undone, if anything.
func alsoLeft(why, left error) error {
	if left == nil {
		return why
	}
	e := *mapped(why)
	e.Err = fmt.Errorf("%w; and what was made could not be removed: %w", e.Err, left)
	return &e
}

func (c *creation) removeMade(ctx context.Context) error {
	if c.id == "" && c.maybe {
		found, err := c.conn.find(ctx, c.root, c.spec.ID)
		if err != nil {
			return err
		}
		if found == nil {
			return c.conn.removeStored(ctx, c.spec.ID)
		}
		c.id = found.ID
	}
	if c.id == "" {
		return nil
	}
	if c.lost {
		c.endUnstarted(ctx, c.conn, c.id)
	}
	return c.conn.remove(ctx, c.id)
}

// info describes the new sandbox. The engine is asked only for ports that it
// chose itself.
func (c *creation) info(ctx context.Context) (*adapters.Info, error) {
	if len(c.spec.Ports) > 0 {
		return c.Get(ctx, c.spec.ID)
	}
	info, err := infoFrom(c.container.Labels)
	if err != nil {
		return nil, err
	}
	info.Name, info.State = c.spec.Name, adapters.StateRunning
	return info, nil
}

// outlive returns a context that ends some time after ctx does.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var timer *time.Timer
	armed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer = time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) })
		close(armed)
	})
	return longer, func() {
		if !stop() {
			<-armed
			timer.Stop()
		}
		cancel(nil)
	}
}
