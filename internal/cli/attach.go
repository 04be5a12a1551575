package cli

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

type attachOptions struct {
	app     *App
	id      string
	process quixand.ProcessRef
	offset  int64
	newOnly bool
}

func newAttachCmd(a *App) *cobra.Command {
	o := &attachOptions{app: a}
	cmd := &cobra.Command{
		Use:   "attach [flags] ID PID|TAG",
		Short: "Show the output of a background process and wait for it",
		Long: `Show the output of a process that exec --detach has started, from its beginning
as far as the sandbox still keeps it, and exit as it does. Ctrl-C ends attach,
not the process.`,
		Args:              nargs(2, 2, "ID and PID or TAG"),
		Annotations:       passing(),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			if o.newOnly {
				o.offset = quixand.FromNow
			} else if o.offset < 0 {
				return usagef("--offset %d: must not be negative", o.offset)
			}
			o.process = processRef(args[1])
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.Int64Var(&o.offset, "offset", 0, "begin at this byte of the output, both streams counted together")
	f.BoolVar(&o.newOnly, "new", false, "show only what is still to come")
	return cmd
}

// processRef reads a process id, or else a tag.
func processRef(s string) quixand.ProcessRef {
	if pid, err := strconv.ParseUint(s, 10, 31); err == nil && pid > 0 {
		return quixand.ProcessRef{PID: int(pid)}
	}
	return quixand.ProcessRef{Tag: s}
}

func (o *attachOptions) run(ctx context.Context) error {
	sb, err := o.app.connect(ctx, o.id)
	if err != nil {
		return err
	}
	stdout, flushStdout := guarded(o.app.Stdout)
	stderr, flushStderr := guarded(o.app.Stderr)
	p, err := sb.Attach(ctx, o.process, &quixand.AttachOptions{
		Offset: o.offset,
		Stdout: stdout,
		Stderr: stderr,
	})
	if err != nil {
		return err
	}
	res, err := p.Wait(ctx)
	if lost, ok := errors.AsType[*quixand.OutputLostError](err); ok && res != nil {
		o.app.printf("qs: %v\n", lost)
		err = nil
	}
	if err := errors.Join(err, flushStdout(), flushStderr()); err != nil {
		return err
	}
	return resultStatus(res)
}
