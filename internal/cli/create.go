package cli

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quixand/quixand/pkg/quixand"
)

// sandboxFlags describe the sandbox to create, under the names that podman
// gives the same things.
type sandboxFlags struct {
	options quixand.Options
	memory  bytesValue
}

func (s *sandboxFlags) add(cmd *cobra.Command, a *App) {
	f, o := cmd.Flags(), &s.options
	f.StringVar(&o.Template, "image", "", "image or template to start from; also --template (default $QS_IMAGE, or python:3.11-slim)")
	f.StringVar(&o.Snapshot, "snapshot", "", "snapshot to start from, with its workdir and metadata; see qs snapshot")
	if err := cmd.RegisterFlagCompletionFunc("snapshot", a.completeSnapshot); err != nil {
		panic(err) // the flag was added twice
	}
	addChoice(cmd, &o.Pull, "pull", "fetch the image: missing, always or never", quixand.PullMissing, quixand.PullAlways, quixand.PullNever)
	s.addOwn(cmd, a)
}

// addOwn adds what even a sandbox that is a copy of another has of its own.
func (s *sandboxFlags) addOwn(cmd *cobra.Command, a *App) {
	f, o := cmd.Flags(), &s.options
	f.StringVar(&o.Name, "name", "", "call the sandbox by a name, too, which stands for its id")
	f.Var(durationValue{d: &o.Lifetime}, "lifetime", "end the sandbox after this time, busy or not")
	f.VarP(pairsValue{pairs: &o.Env, lookup: a.Getenv}, "env", "e", "set a variable for every command; KEY alone takes its value from here")
	f.VarP(pairsValue{pairs: &o.Metadata}, "metadata", "m", "keep a pair with the sandbox; ls can select by it")
	f.VarP(pairsValue{pairs: &o.Labels}, "label", "l", "set a label, which qs label can change later; ls can select by it")
	f.StringVarP(&o.Workdir, "workdir", "w", "", "where commands start and relative paths begin (default /workspace)")
	f.BoolVar(&o.Sudo, "sudo", false, "let code inside run commands as root by sudo, which is off otherwise")
	addChoice(cmd, &o.Network, "network", "bridge: a way out and none to this host; none: no network", quixand.NetworkBridge, quixand.NetworkNone)
	f.VarP(publishValue{&o.Publish}, "publish", "p", "publish a port on this host's loopback")
	f.Var(&s.memory, "memory", "limit memory and swap together, such as 512m")
	f.Float64Var(&o.Resources.CPUs, "cpus", 0, "limit processor time, such as 1.5")
	f.Int64Var(&o.Resources.PIDs, "pids-limit", 0, "limit processes and threads; also --pids")
	f.SetNormalizeFunc(otherNames)
}

// addTimeout is for sandboxes that stay.
func (s *sandboxFlags) addTimeout(cmd *cobra.Command) {
	cmd.Flags().Var(durationValue{d: &s.options.Timeout, never: true}, "timeout", "end the sandbox after this idle time, or never (default $QS_TIMEOUT_DEFAULT, or 5m)")
}

// otherNames accepts the names that other tools have for our flags.
func otherNames(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "template":
		name = "image"
	case "pids":
		name = "pids-limit"
	case "net":
		name = "network"
	}
	return pflag.NormalizedName(name)
}

func (s *sandboxFlags) validate() error {
	r := &s.options.Resources
	r.MemoryBytes = int64(s.memory)
	switch {
	case r.CPUs < 0 || math.IsNaN(r.CPUs) || math.IsInf(r.CPUs, 0):
		return usagef("--cpus %v: must be more than zero", r.CPUs)
	case r.PIDs < 0:
		return usagef("--pids-limit %d: must be more than zero", r.PIDs)
	}
	return nil
}

type createOptions struct {
	app     *App
	sandbox sandboxFlags
	quiet   bool
	timing  bool
}

func newCreateCmd(a *App) *cobra.Command {
	o := &createOptions{app: a}
	cmd := &cobra.Command{
		Use:   "create [flags]",
		Short: "Create a sandbox and print its id",
		Long: `Create a sandbox and print its id.

The sandbox lives until it is killed, has been idle for its timeout, or has
reached its lifetime. A running command is not idle.`,
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.sandbox.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	o.sandbox.add(cmd, a)
	o.sandbox.addTimeout(cmd)
	addChoice(cmd, &o.sandbox.options.OnTimeout, "on-timeout", "when idle: kill, or pause until qs resume", quixand.TimeoutKill, quixand.TimeoutPause)
	f.BoolVar(&o.sandbox.options.FixedTimeout, "fixed-timeout", false, "let the timeout end the sandbox whatever goes on in it, as E2B's does")
	f.StringVar(&o.sandbox.options.User, "user", "", "account of the image that commands run as which name no other (default user)")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print only the id")
	f.BoolVar(&o.timing, "timing", false, "print how long each phase took")
	return cmd
}

func (o *createOptions) run(ctx context.Context) error {
	phases := newTiming(o.app.Now)
	sb, err := o.app.create(ctx, &o.sandbox.options, phases, o.quiet)
	if err != nil {
		return err
	}
	if o.app.global.json {
		return o.printJSON(ctx, sb, phases)
	}
	if _, err := fmt.Fprintln(o.app.Stdout, sb.ID()); err != nil {
		return err
	}
	if o.timing {
		phases.print(o.app)
	}
	return nil
}

func (o *createOptions) printJSON(ctx context.Context, sb *quixand.Sandbox, phases *timing) error {
	info, err := sb.Info(ctx)
	if err != nil {
		return err
	}
	out := struct {
		sandboxJSON
		Timing map[string]float64 `json:"timingMs,omitempty"`
	}{sandboxJSON: newSandboxJSON(info)}
	if o.timing {
		out.Timing = phases.milliseconds()
	}
	return o.app.printJSON(out)
}

// create creates a sandbox, shows what takes long and notes how long it took.
func (a *App) create(ctx context.Context, opts *quixand.Options, phases *timing, quiet bool) (*quixand.Sandbox, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	line := a.newStatusLine(quiet)
	defer line.clear()
	opts.Progress = func(p quixand.Progress) {
		phases.note(p)
		if p.Message != "" && !p.Done {
			line.set(fmt.Sprintf("%s: %s (%s)", p.Phase, p.Message, p.Elapsed.Round(time.Second)))
		}
	}
	return c.Create(ctx, opts)
}
