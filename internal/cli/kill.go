package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

type killOptions struct {
	app   *App
	ids   []string
	all   bool
	force bool
	quiet bool
}

func newKillCmd(a *App) *cobra.Command {
	o := &killOptions{app: a}
	cmd := &cobra.Command{
		Use:               "kill [flags] ID...",
		Aliases:           []string{"rm", "remove"},
		Short:             "End sandboxes at once and without a trace",
		ValidArgsFunction: a.completeSandbox(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.all && len(args) > 0:
				return usagef("ID and --all exclude each other")
			case !o.all && len(args) == 0:
				return usagef("arguments are missing: ID, or --all")
			}
			o.ids = args
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.all, "all", "a", false, "end all sandboxes of this Quixand root")
	f.BoolVarP(&o.force, "force", "f", false, "a sandbox that is gone already is no error")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print nothing")
	return cmd
}

func (o *killOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	if o.all {
		infos, err := c.List(ctx, nil)
		if err != nil {
			return err
		}
		for _, i := range infos {
			o.ids = append(o.ids, i.ID)
		}
		o.force = true // others may end meanwhile
	}
	errs := onEach(o.ids, func(id string) error { return c.Kill(ctx, id) })
	killed := []string{}
	for i, id := range o.ids {
		if o.force && errors.Is(errs[i], quixand.ErrNotFound) {
			errs[i] = nil
		} else if errs[i] == nil {
			killed = append(killed, id)
		}
	}
	return errors.Join(append(errs, o.print(killed))...)
}

func (o *killOptions) print(killed []string) error {
	switch {
	case o.app.global.json:
		return o.app.printJSON(struct {
			Killed []string `json:"killed"`
		}{killed})
	case o.quiet:
		return nil
	}
	for _, id := range killed {
		if _, err := fmt.Fprintln(o.app.Stdout, id); err != nil {
			return err
		}
	}
	return nil
}
