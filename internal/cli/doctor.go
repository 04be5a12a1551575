package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

type doctorOptions struct{ app *App }

func newDoctorCmd(a *App) *cobra.Command {
	o := &doctorOptions{app: a}
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check engine, host, agent and image, and name the cure of each failure",
		Long: `Check engine, host, agent and image. A failure prevents sandboxes and comes with
its cure; a warning says what sandboxes cannot ask for on this host.`,
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
}

// doctorJSON is the output of doctor --json.
type doctorJSON struct {
	OK     bool            `json:"ok"`
	Checks []quixand.Check `json:"checks"`
}

func (o *doctorOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	out := doctorJSON{Checks: c.Check(ctx)}
	failed := 0
	for _, check := range out.Checks {
		if check.Status == adapters.CheckFail {
			failed++
		}
	}
	out.OK = failed == 0
	if o.app.global.json {
		err = o.app.printJSON(out)
	} else {
		err = o.print(out.Checks)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d checks failed", failed, len(out.Checks))
	}
	return err
}

func (o *doctorOptions) print(checks []quixand.Check) error {
	t := o.app.newTable()
	for _, c := range checks {
		t.row(strings.ToUpper(string(c.Status)), c.Name, c.Detail)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, c := range checks {
		for line := range strings.Lines(c.Cure) {
			line = termsafe.Line(strings.TrimSuffix(line, "\n"))
			if _, err := fmt.Fprintf(o.app.Stdout, "cure of %s: %s\n", termsafe.Line(c.Name), line); err != nil {
				return err
			}
		}
	}
	return nil
}
