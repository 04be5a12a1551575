package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
)

type labelOptions struct {
	app    *App
	id     string
	set    map[string]string
	remove []string
}

func newLabelCmd(a *App) *cobra.Command {
	o := &labelOptions{app: a}
	return &cobra.Command{
		Use:   "label [flags] ID [KEY=VALUE | KEY-]...",
		Short: "Show, set and remove a sandbox's labels",
		Long: `Set labels with KEY=VALUE, remove them with KEY-, and show those that there are
then. Labels are kept in the sandbox, for as long as it lives.`,
		Example: `  qs label $id stage=test owner=me
  qs label $id stage-
  qs ps --label owner=me`,
		Args:              nargs(1, -1, "ID"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			if err := o.parse(args[1:]); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
}

func (o *labelOptions) parse(changes []string) error {
	o.set = make(map[string]string)
	for _, change := range changes {
		key, value, set := strings.Cut(change, "=")
		name, removed := strings.CutSuffix(change, "-")
		switch {
		case set:
			o.set[key] = value
		case removed:
			o.remove = append(o.remove, name)
		default:
			return usagef("%q is neither KEY=VALUE nor KEY-", change)
		}
	}
	return nil
}

func (o *labelOptions) run(ctx context.Context) error {
	sb, err := o.app.connect(ctx, o.id)
	if err != nil {
		return err
	}
	if len(o.set)+len(o.remove) > 0 {
		if err := sb.SetLabels(ctx, o.set, o.remove...); err != nil {
			return err
		}
	}
	status, err := sb.Status(ctx)
	if err != nil {
		return err
	}
	if o.app.global.json {
		return o.app.printJSON(notNil(status.Labels))
	}
	for _, k := range slices.Sorted(maps.Keys(status.Labels)) {
		if _, err := fmt.Fprintln(o.app.Stdout, termsafe.Line(k+"="+status.Labels[k])); err != nil {
			return err
		}
	}
	return nil
}

// notNil is a map that is an object in JSON.
func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
