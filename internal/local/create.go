package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
		return nil, a.mapError(err)
	}
	return info, nil
}

func (a *Adapter) create(ctx context.Context, spec *adapters.Spec) (*adapters.Info, error) {
	created := time.Now()
	agent, err := a.agent.Find(ctx)
	if err != nil {
		return nil, err
	}
	c := &creation{Adapter: a, spec: spec}
	if err := c.specify(ctx, agent, created); err != nil {
		return nil, err
	}
	unlock, err := a.reserve(ctx, spec.ID, spec.Name)
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

// creation is one sandbox in the making.
type creation struct {
	*Adapter
	spec      *adapters.Spec
	facts     *Facts
	container *Spec
	id        string // the engine's, once there is one
	maybe     bool   // the engine was asked for a container and did not answer
	lost      bool   // the engine was asked to start it and did not answer
}

// specify refuses what cannot be had before anything is made.
func (c *creation) specify(ctx context.Context, agent string, created time.Time) error {
	at := place{
		agent: agent, dir: c.dirs.Sandbox(c.spec.ID), log: c.dirs.Log(c.spec.ID), image: c.imageOf(c.spec),
		created: created, boot: bootclock.Now(),
	}
	err := c.specifyBy(ctx, false, &at)
	if errors.Is(err, adapters.ErrUnsupported) && c.facts != nil {
		// The engine itself has the last word: it may live elsewhere than where
		// this process looks.
		return c.specifyBy(ctx, true, &at)
	}
	return err
}

func (c *creation) specifyBy(ctx context.Context, certain bool, at *place) error {
	facts, err := c.engine.Facts(ctx, certain)
	if err != nil {
		return err
	}
	c.facts = facts
	c.container, err = specFor(c.spec, facts, at)
	return err
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
	// Watch before there is anything to see.
	appears, ignore, err := c.watch()
	if err != nil {
		return nil, err
	}
	defer ignore()
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	born := c.remember()
	defer born.Wait()
	if err := c.ready(ctx, appears); err != nil {
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
	if c.spec.Pull != adapters.PullMissing || !errors.Is(err, adapters.ErrNotFound) || c.id != "" {
		return err
	}
	if err := c.pull(ctx); err != nil {
		return err
	}
	return c.make(ctx)
}

// pull fetches the image, its name read as the engine reads it.
func (c *creation) pull(ctx context.Context) error {
	return phase(ctx, c.spec, adapters.PhasePull, c.spec.Budgets.Pull, func(ctx context.Context) error {
		began := time.Now()
		return c.engine.Pull(ctx, c.spec.Image, c.spec.Pull, func(line string) {
			if c.spec.Progress != nil {
				c.spec.Progress(adapters.Progress{Phase: adapters.PhasePull, Message: line, Elapsed: time.Since(began)})
			}
		})
	})
}

// make asks the engine for the container.
func (c *creation) make(ctx context.Context) error {
	return phase(ctx, c.spec, adapters.PhaseCreate, c.spec.Budgets.Create, func(ctx context.Context) error {
		patient, cancel := Outlive(ctx, c.grace)
		defer cancel()
		id, err := c.engine.Create(patient, c.container)
		c.id = id
		if err != nil {
			c.maybe = c.maybe || Unanswered(err)
			return err
		}
		return ctx.Err()
	})
}

func (c *creation) start(ctx context.Context) error {
	return phase(ctx, c.spec, adapters.PhaseStart, c.spec.Budgets.Start, func(ctx context.Context) error {
		patient, cancel := Outlive(ctx, c.grace)
		defer cancel()
		if err := c.engine.Start(patient, c.id); err != nil {
			c.lost = Unanswered(err)
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
			birth.Name, birth.MemoryKills = c.spec.Name, c.memoryKills()
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
			c.removeForkImage(ctx, c.spec.ID, c.spec.Fork),
			c.clear(ctx, c.spec.ID, claim), c.graves.Unborn(c.spec.ID),
		)
	}
	return AlsoLeft(why, left)
}

// AlsoLeft adds to an error what could not be undone, if anything.
func AlsoLeft(why, left error) error {
	if left == nil {
		return why
	}
	e := *mapped(why)
	e.Err = fmt.Errorf("%w; and what was made could not be removed: %w", e.Err, left)
	return &e
}

func (c *creation) removeMade(ctx context.Context) error {
	if c.id == "" && c.maybe {
		found, err := c.find(ctx, c.spec.ID)
		if err != nil {
			return err
		}
		if found == nil {
			return c.removeForgotten(ctx, c.spec.ID)
		}
		c.id = found.ID
	}
	if c.id == "" {
		return nil
	}
	made := &Container{ID: c.id, State: adapters.StateRunning}
	if c.lost {
		made.State = adapters.StateCreating
	}
	return c.engine.Remove(ctx, made)
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
	info.Adapter, info.Name, info.State = c.name, c.spec.Name, adapters.StateRunning
	return info, nil
}
