package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

type connectOptions struct {
	app *App
	id  string
	pty quixand.PTYOptions
}

func newConnectCmd(a *App) *cobra.Command {
	o := &connectOptions{app: a}
	cmd := &cobra.Command{
		Use:   "connect [flags] ID [--] [COMMAND [ARG...]]",
		Short: "Open a shell on a terminal in a sandbox",
		Long: `Open the user's shell, or a command, on a terminal in a sandbox and exit as it
does. Every key goes to it, Ctrl-C too.

If the sandbox hangs, type Enter ~ . to leave.`,
		Args:              nargs(1, -1, "ID"),
		Annotations:       passing(),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			if argv := afterDashes(args[1:]); len(argv) > 0 {
				o.pty.Command = argv
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.StringVarP(&o.pty.User, "user", "u", "", "run as this user of the sandbox")
	f.VarP(pairsValue{pairs: &o.pty.Env, lookup: a.Getenv}, "env", "e", "set a variable; KEY alone takes its value from here")
	f.StringVarP(&o.pty.Dir, "workdir", "w", "", "directory to start in")
	return cmd
}

func (o *connectOptions) run(ctx context.Context) error {
	const interactive = true
	if err := o.app.checkTerminal(interactive); err != nil {
		return err
	}
	sb, err := o.app.connect(ctx, o.id)
	if err != nil {
		return err
	}
	return o.app.runOnTerminal(ctx, sb, &o.pty, interactive)
}
