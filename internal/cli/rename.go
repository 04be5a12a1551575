package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type renameOptions struct {
	app      *App
	id, name string
}

func newRenameCmd(a *App) *cobra.Command {
	o := &renameOptions{app: a}
	return &cobra.Command{
		Use:   "rename [flags] ID NAME",
		Short: "Give a sandbox a name, or another one",
		Long: `Give a sandbox a name that stands for its id, or another one in place of that. An
empty NAME takes it away. A name has up to 63 lower-case letters, digits, '-' and
'_'.`,
		Args:              nargs(2, 2, "ID and NAME"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.name = args[0], args[1]
			return o.run(cmd.Context())
		},
	}
}

func (o *renameOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	return c.Rename(ctx, o.id, o.name)
}
