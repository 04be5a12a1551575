package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

type waitOptions struct {
	app *App
	id  string
}

func newWaitCmd(a *App) *cobra.Command {
	o := &waitOptions{app: a}
	return &cobra.Command{
		Use:   "wait [flags] ID",
		Short: "Wait until a sandbox has ended, and tell why",
		Long: `Wait until a sandbox has ended, and print why. It does not keep the sandbox from
ending. One that has ended already is told at once.`,
		Args:              nargs(1, 1, "ID"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			return o.run(cmd.Context())
		},
	}
}

func (o *waitOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	e, err := c.Wait(ctx, o.id)
	if err != nil {
		return err
	}
	if o.app.global.json {
		return o.app.printJSON(newEndedJSON(e))
	}
	_, err = fmt.Fprintf(o.app.Stdout, "%s\n", reasonOf(e))
	return err
}
