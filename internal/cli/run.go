package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/quixand"
)

// killBudget bounds the end of a sandbox, whatever its verb was interrupted by.
const killBudget = 15 * time.Second

type runOptions struct {
	app     *App
	sandbox sandboxFlags
	command commandFlags
	argv    []string
	quiet   bool
	timing  bool
}

func newRunCmd(a *App) *cobra.Command {
	o := &runOptions{app: a}
	cmd := &cobra.Command{
		Use:   "run [flags] [--] COMMAND [ARG...]",
		Short: "Run a command in a sandbox of its own",
		Long: `Create a sandbox, run a command in it, end the sandbox, and exit as the command
did.

Standard input is passed when it is not a terminal, or with --interactive.
Ctrl-C interrupts the command; the second time it kills it.`,
		Example: `  qs run -- python3 -c 'print(6*7)'
  qs run --network none --memory 512m -- make test
  qs run -it --image alpine -- sh`,
		Args:              nargs(1, -1, "COMMAND"),
		Annotations:       passing(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.argv = args
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	o.sandbox.add(cmd, a)
	o.command.add(f)
	f.BoolVarP(&o.quiet, "quiet", "q", false, "do not show the progress of a pull")
	f.BoolVar(&o.timing, "timing", false, "print how long each phase took")
	return cmd
}

func (o *runOptions) validate() error {
	if o.command.tty && o.command.timeout != 0 {
		return usagef("--timeout cannot be combined with --tty")
	}
	if o.argv[0] == "" {
		return usagef("the command is missing")
	}
	return o.sandbox.validate()
}

func (o *runOptions) run(ctx context.Context) error {
	if o.command.tty {
		if err := o.app.checkTerminal(o.command.interactive); err != nil {
			return err
		}
	}
	phases := newTiming(o.app.Now)
	o.sandbox.options.Ephemeral = true
	sb, err := o.app.create(ctx, &o.sandbox.options, phases, o.quiet)
	if err != nil {
		return err
	}
	defer func() {
		if o.timing {
			phases.print(o.app)
		}
	}()
	defer o.end(ctx, sb, phases)
	defer phases.measure("exec")()
	if o.command.tty {
		return o.app.runOnTerminal(ctx, sb, &quixand.PTYOptions{Command: o.argv, User: o.command.user}, o.command.interactive)
	}
	cmd := sb.Command(o.argv[0], o.argv[1:]...)
	o.command.apply(cmd)
	return o.app.runCommand(ctx, cmd, &o.command)
}

// end kills the sandbox also when run was interrupted. A failure is told and
// does not hide the command's status: the sandbox ends by itself soon.
func (o *runOptions) end(ctx context.Context, sb *quixand.Sandbox, phases *timing) {
	defer phases.measure("kill")()
	if err := kill(ctx, sb); err != nil {
		o.app.printf("qs: %s\nhint: qs kill %s\n", termsafe.Line(err.Error()), sb.ID())
	}
}

// kill ends a sandbox of qs's own, also when ctx has ended.
func kill(ctx context.Context, sb *quixand.Sandbox) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killBudget)
	defer cancel()
	return sb.Kill(ctx)
}
