package quixand

import (
	"cmp"
	"context"
	"errors"
	"maps"

	"github.com/quixand/quixand/pkg/adapters"
)

// Snapshot keeps the sandbox's file system, with its workdir and metadata, under
// a name that [Options.Snapshot] takes; an empty one is chosen. A taken name is
// ErrExists. The sandbox stands still meanwhile, which takes longer the more
// has been written, and then goes on; memory, processes and the environment are
// not kept, so that a template's start command begins anew in each sandbox that
// starts from the snapshot. A snapshot is its Quixand root's and lives until [Client.RemoveSnapshot].
func (s *Sandbox) Snapshot(ctx context.Context, name string) (*Snapshot, error) {
	return s.client.snapshot(ctx, s.id, name)
}

// Snapshot takes a snapshot of the sandbox that an id or a name names, running or
// paused; see [Sandbox.Snapshot].
func (c *Client) Snapshot(ctx context.Context, id, name string) (*Snapshot, error) {
	full, err := c.resolve(ctx, id)
	if err != nil {
		return nil, c.wrap("snapshot", "", err)
	}
	return c.snapshot(ctx, full, name)
}

func (c *Client) snapshot(ctx context.Context, id, name string) (*Snapshot, error) {
	if name == "" {
		name = newID()
	}
	keeper, err := c.snapshotter(name)
	if err != nil {
		return nil, c.wrap("snapshot", id, err)
	}
	snap, err := keeper.Snapshot(ctx, id, name)
	return snap, c.wrap("snapshot", id, err)
}

// Snapshots lists the snapshots of the Quixand root, newest first.
func (c *Client) Snapshots(ctx context.Context) ([]*Snapshot, error) {
	keeper, err := c.snapshotter("any")
	if err != nil {
		return nil, c.wrap("list snapshots", "", err)
	}
	all, err := keeper.Snapshots(ctx)
	return all, c.wrap("list snapshots", "", err)
}

// RemoveSnapshot removes a snapshot of the Quixand root. An unknown one is
// ErrNotFound, and one that sandboxes were created from which still live is
// ErrConflict.
func (c *Client) RemoveSnapshot(ctx context.Context, name string) error {
	keeper, err := c.snapshotter(name)
	if err == nil {
		err = keeper.RemoveSnapshot(ctx, name)
	}
	return c.wrap("remove snapshot", "", err)
}

// snapshotter finds out whether the adapter keeps snapshots that can have a name.
func (c *Client) snapshotter(name string) (adapters.Snapshotter, error) {
	if !adapters.ValidName(name) {
		e := invalid("%q cannot be the name of a snapshot", name)
		e.Hint = hintName
		return nil, e
	}
	keeper, ok := c.adapter.(adapters.Snapshotter)
	if !ok {
		return nil, &Error{Kind: ErrUnsupported, Err: errors.New("this adapter's engine cannot keep snapshots of sandboxes")}
	}
	return keeper, nil
}

// basedOnSnapshot completes options that name a snapshot with what it keeps, and
// returns what is to be started.
func (c *Client) basedOnSnapshot(ctx context.Context, opts *Options) (*Options, map[string]string, error) {
	if opts.Snapshot == "" {
		return opts, nil, nil
	}
	if opts.Template != "" {
		return nil, nil, invalid("a sandbox starts from the template %q or the snapshot %q, not from both", opts.Template, opts.Snapshot)
	}
	keeper, err := c.snapshotter(opts.Snapshot)
	if err != nil {
		return nil, nil, err
	}
	all, err := keeper.Snapshots(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range all {
		if s.Name == opts.Snapshot {
			return opts.basedOn(&Info{Image: s.Image, Workdir: s.Workdir, User: s.User, Sudo: s.Sudo, Metadata: s.Metadata}), s.Startup, nil
		}
	}
	e := &Error{Kind: ErrNotFound, Err: errors.New("no snapshot " + opts.Snapshot), Hint: "see what there is with: qs snapshots ls"}
	return nil, nil, e
}

// basedOn is a copy of the options in which another sandbox's take the place of
// what is not told.
func (o Options) basedOn(info *Info) *Options {
	o.Template, o.Pull = info.Image, PullNever
	o.Workdir, o.User, o.Sudo = firstSet(o.Workdir, info.Workdir), firstSet(o.User, info.User), o.Sudo || info.Sudo
	merged := maps.Clone(info.Metadata)
	if merged == nil {
		merged = make(map[string]string)
	}
	maps.Copy(merged, o.Metadata)
	o.Metadata = merged
	return &o
}

// boundAs sets what bounds a sandbox as it is with another, where the options
// leave it open: a copy of what has no network has none either.
func (o *Options) boundAs(info *Info) {
	o.Network = cmp.Or(o.Network, info.Network)
	o.Timeout = cmp.Or(o.Timeout, info.IdleTimeout)
	o.Lifetime = cmp.Or(o.Lifetime, info.Lifetime)
	o.OnTimeout = cmp.Or(o.OnTimeout, info.OnTimeout)
	o.Resources.MemoryBytes = cmp.Or(o.Resources.MemoryBytes, info.Resources.MemoryBytes)
	o.Resources.CPUs = cmp.Or(o.Resources.CPUs, info.Resources.CPUs)
	o.Resources.PIDs = cmp.Or(o.Resources.PIDs, info.Resources.PIDs)
}

// Fork creates a sandbox with a copy of this one's file system, as
// [Sandbox.Snapshot] and [Options.Snapshot] do in two steps, and with nothing to
// remove afterwards. The options' Template and Snapshot must be empty, and zero
// fields are as they are with this sandbox: timeouts, network, limits, workdir
// and metadata. The environment is not copied, and processes are not: a
// template's start command begins anew.
func (s *Sandbox) Fork(ctx context.Context, opts *Options) (*Sandbox, error) {
	return s.client.fork(ctx, s.id, opts)
}

// Fork forks the sandbox that an id or a name names, running or paused; see
// [Sandbox.Fork].
func (c *Client) Fork(ctx context.Context, id string, opts *Options) (*Sandbox, error) {
	full, err := c.resolve(ctx, id)
	if err != nil {
		return nil, c.wrap("fork", "", err)
	}
	return c.fork(ctx, full, opts)
}

func (c *Client) fork(ctx context.Context, source string, opts *Options) (*Sandbox, error) {
	spec, opts, err := c.forkSpec(ctx, source, opts)
	if err != nil {
		return nil, c.wrap("fork", source, err)
	}
	return c.create(ctx, "fork", opts, spec)
}

func (c *Client) forkSpec(ctx context.Context, source string, opts *Options) (*adapters.Spec, *Options, error) {
	if opts == nil {
		opts = &Options{}
	}
	if opts.Template != "" || opts.Snapshot != "" {
		return nil, nil, invalid("a fork starts from its source, not from template %q or snapshot %q", opts.Template, opts.Snapshot)
	}
	if _, err := c.snapshotter("any"); err != nil {
		return nil, nil, err
	}
	info, err := c.adapter.Get(ctx, source)
	if err != nil {
		return nil, nil, err
	}
	opts = opts.basedOn(info)
	opts.boundAs(info)
	spec, err := opts.spec(&c.cfg)
	if err != nil {
		return nil, nil, err
	}
	spec.Fork, spec.Startup = source, info.Startup
	return spec, opts, nil
}
