package quixand

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/timeouts"
)

const (
	// engineTimeout bounds a question to the engine that only explains an
	// error.
	engineTimeout = 5 * time.Second

	// helloTimeout bounds the first question to an agent.
	helloTimeout = 10 * time.Second

	defaultWorkdir = agentapi.DefaultWorkdir
)

// Client creates and finds sandboxes through one adapter. It is safe for
// concurrent use. Most programs need none: the functions of the package use
// one that is configured by the environment.
type Client struct {
	cfg     Config
	adapter adapters.Adapter
	tried   []Check // the engines that were looked at to choose one

	// life is of the leases that the client holds. It is nobody's call's, so
	// it is kept.
	life   context.Context
	end    context.CancelFunc
	leases sync.WaitGroup

	// enforcement is chosen when it is first needed.
	enforcement func() (*enforcement, error)
}

// New opens the adapter that cfg and the environment name; nil is the zero
// Config. Where none is named, rootless Podman is preferred to other engines that
// can be had on this machine; when there is none, ErrUnavailable tells what was
// looked at. No engine is spoken to yet.
func New(cfg *Config) (*Client, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	full, err := cfg.withDefaults(os.Getenv)
	if err != nil {
		return nil, wrap("configure", "", "", err)
	}
	tried, err := full.chooseAdapter()
	if err != nil {
		return nil, wrap("choose adapter", "", "", err)
	}
	adapter, err := full.Registry.Open(full.Adapter, full.forAdapter())
	if err != nil {
		return nil, wrap("open adapter", full.Adapter, "", err)
	}
	c := &Client{cfg: full, adapter: adapter, tried: tried}
	if h, ok := adapter.(adapters.Hosted); ok && firstSet(cfg.Image, os.Getenv("QS_IMAGE")) == "" {
		c.cfg.Image = h.DefaultImage()
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.enforcement = sync.OnceValues(c.chooseEnforcers)
	return c, nil
}

// Close releases connections and ephemeral sandboxes, which then end soon. All
// others live on, without this process's timers.
func (c *Client) Close() error {
	c.end()
	c.leases.Wait()
	e, _ := c.enforcement()
	for _, h := range e.hosts {
		h.Close()
	}
	return c.wrap("close", "", c.adapter.Close())
}

// Root is the Quixand root whose sandboxes the client works on, an absolute path.
func (c *Client) Root() string { return c.cfg.Root }

// Image is what the client's sandboxes start from that name no template.
func (c *Client) Image() string { return c.cfg.Image }

// hosted reports whether somebody else looks after the sandboxes.
func (c *Client) hosted() bool {
	_, ok := c.adapter.(adapters.Hosted)
	return ok
}

func (c *Client) wrap(op, id string, err error) error { return wrap(op, c.cfg.Adapter, id, err) }

// Create starts a sandbox and returns once it takes commands. nil options
// give the defaults. ctx bounds the creation, not the sandbox's life: end that
// with [Sandbox.Kill]. When Create fails, nothing is left behind.
func (c *Client) Create(ctx context.Context, opts *Options) (*Sandbox, error) {
	if opts == nil {
		opts = &Options{}
	}
	opts, startup, err := c.basedOnSnapshot(ctx, opts)
	if err != nil {
		return nil, c.wrap("create", "", err)
	}
	spec, err := opts.spec(&c.cfg)
	if err != nil {
		return nil, c.wrap("create", "", err)
	}
	spec.Startup = startup
	return c.create(ctx, "create", opts, spec)
}

// create starts what the options have become.
func (c *Client) create(ctx context.Context, op string, opts *Options, spec *adapters.Spec) (*Sandbox, error) {
	if err := ctx.Err(); err != nil {
		return nil, c.wrap(op, "", err)
	}
	if opts.Template != "" && spec.Snapshot == "" && spec.Fork == "" {
		from, err := c.resolveTemplate(ctx, opts.Template)
		if err != nil {
			return nil, c.wrap(op, spec.ID, err)
		}
		spec.Image, spec.Startup = from.Image, startupOf(from)
	}
	enforcement, err := c.enforce(spec, opts)
	if err != nil {
		return nil, c.wrap(op, "", err)
	}
	begin := time.Now()
	arming := c.armWith(ctx, spec, enforcement)
	info, err := c.adapter.Create(ctx, spec)
	if errArm := arming.end(err == nil); err == nil && errArm != nil {
		err = c.unarmed(ctx, info.ID, errArm)
	}
	if err != nil {
		arming.undo(ctx, c)
		return nil, c.wrap(op, spec.ID, c.suggested(ctx, opts.Template, err))
	}
	c.cfg.Logger.Debug("created", "sandbox", info.ID, "image", info.Image, "ms", time.Since(begin).Milliseconds())
	sb, err := c.open(ctx, info.ID)
	if err != nil {
		_ = c.kill(context.WithoutCancel(ctx), info.ID, c.killOptions(false))
		return nil, c.wrap(op, info.ID, err)
	}
	sb.workdir, sb.unarmed = info.Workdir, len(arming.hosts) == 0
	if len(opts.Labels) > 0 {
		if err := sb.SetLabels(ctx, opts.Labels); err != nil {
			_ = c.kill(context.WithoutCancel(ctx), info.ID, c.killOptions(false))
			return nil, err
		}
	}
	if opts.Ephemeral {
		sb.lease = c.lease(sb)
	}
	if err := sb.start(ctx, spec.Startup, spec.Budgets.Ready); err != nil {
		_ = sb.Kill(context.WithoutCancel(ctx))
		return nil, c.wrap(op, info.ID, err)
	}
	return sb, nil
}

// newID is 100 bits of randomness in lower-case letters and digits.
func newID() string { return strings.ToLower(rand.Text())[:20] }

// open gives a Sandbox for an id without asking anybody.
func (c *Client) open(ctx context.Context, id string) (*Sandbox, error) {
	rt, err := c.adapter.Transport(ctx, id, adapters.AgentPort)
	if err != nil {
		return nil, err
	}
	sb := &Sandbox{id: id, client: c, agent: agentclient.New(rt)}
	sb.Files = &Files{sb}
	return sb, nil
}

// Connect finds a running sandbox by its id, its name or an unambiguous prefix
// of its id, whichever process created it. It speaks to the sandbox alone, not to the
// engine, when it can.
func (c *Client) Connect(ctx context.Context, id string) (*Sandbox, error) {
	full, err := c.resolve(ctx, id)
	if err != nil {
		return nil, c.wrap("connect", "", err)
	}
	sb, err := c.open(ctx, full)
	if err != nil {
		return nil, c.wrap("connect", full, err)
	}
	if err := sb.hello(ctx); err != nil {
		return nil, sb.wrap(ctx, "connect", err)
	}
	return sb, nil
}

// Get describes one sandbox by id, name or unambiguous prefix of the id, as the
// engine sees it.
func (c *Client) Get(ctx context.Context, id string) (*Info, error) {
	full, err := c.resolve(ctx, id)
	if err != nil {
		return nil, c.wrap("get", "", err)
	}
	info, err := c.adapter.Get(ctx, full)
	if err == nil && c.overdue(info) {
		if _, err = c.look(ctx, full, timeouts.Note{}, "a call that found it overdue"); err == nil {
			info, err = c.adapter.Get(ctx, full)
		}
	}
	return info, c.wrap("get", full, c.mourn(ctx, full, err))
}

// Kill ends the sandbox with this id, name or unambiguous prefix of an id, at
// once and without a trace. One that is not there is ErrNotFound.
func (c *Client) Kill(ctx context.Context, id string) error {
	return c.KillBy(ctx, id, ownName(c.cfg.Name))
}

// KillBy is Kill on behalf of somebody else, whom [Ended] then names.
func (c *Client) KillBy(ctx context.Context, id, by string) error {
	full, err := c.resolve(ctx, id)
	if err != nil {
		return c.wrap("kill", "", err)
	}
	err = c.kill(ctx, full, adapters.KillOptions{Reason: adapters.ReasonKilled, By: by})
	return c.wrap("kill", full, c.mourn(ctx, full, err))
}

// kill ends a sandbox and what the host's enforcers keep for it.
func (c *Client) kill(ctx context.Context, id string, opts adapters.KillOptions) error {
	err := c.adapter.Kill(ctx, id, opts)
	if err == nil || errors.Is(err, ErrNotFound) {
		c.disarm(context.WithoutCancel(ctx), id)
	}
	return err
}

// Events streams what happens to the sandboxes of this Quixand root, whoever
// causes it, until ctx ends; see [adapters.EventStreamer]. It begins with what
// has happened since a time, as far as that is remembered; zero is now. Who
// takes the events slowly gets them late. Those of some types only take less of
// program and sandboxes. ErrUnsupported where the engine cannot tell.
func (c *Client) Events(ctx context.Context, since time.Time, only ...adapters.EventType) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		streamer, ok := c.adapter.(adapters.EventStreamer)
		if !ok {
			yield(Event{}, c.wrap("events", "", errNoEvents))
			return
		}
		for event, err := range streamer.Events(ctx, since, only...) {
			if !yield(event, c.wrap("events", "", err)) {
				return
			}
		}
	}
}

var errNoEvents = &Error{Kind: ErrUnsupported, Err: errors.New("this adapter's engine reports no events")}

// Check examines engine, host and image, for `qs doctor`, and who keeps the
// timeouts. An adapter that cannot examine its engine has nothing to add. The
// first finding tells which adapter was chosen and why, unless one was named.
func (c *Client) Check(ctx context.Context) []Check {
	checks := c.checkChoice()
	if checker, ok := c.adapter.(adapters.Checker); ok {
		checks = append(checks, checker.Check(ctx)...)
	}
	return append(checks, c.checkEnforcers())
}
