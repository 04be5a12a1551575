package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
		Long: `Check engine, host and agent, and make a sandbox of the image if it is here. A
failure prevents sandboxes and comes with its cure; a warning says what sandboxes
cannot ask for on this host.`,
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
	failed := countFailed(out.Checks)
	if failed == 0 {
		out.Checks = append(out.Checks, o.try(ctx, c))
		failed = countFailed(out.Checks)
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

func countFailed(checks []quixand.Check) (n int) {
	for _, c := range checks {
		if c.Status == adapters.CheckFail {
			n++
		}
	}
	return n
}

// try makes a sandbox of the image that is on this host: what cannot be seen in
// parts shows in the whole.
func (o *doctorOptions) try(ctx context.Context, c *quixand.Client) quixand.Check {
	check := quixand.Check{Name: "sandbox", Status: adapters.CheckFail}
	begun := o.app.Now()
	sb, err := c.Create(ctx, &quixand.Options{Pull: quixand.PullNever, Ephemeral: true})
	if errors.Is(err, quixand.ErrNotFound) {
		check.Status = adapters.CheckWarn
		check.Detail = err.Error()
		check.Cure = "nothing needs to be done: the image is pulled when it is first used"
		return check
	}
	if err != nil {
		check.Detail, check.Cure = err.Error(), cureOf(err)
		return check
	}
	took := o.app.Now().Sub(begun)
	info, err := sb.Info(ctx)
	if err = errors.Join(err, kill(ctx, sb)); err != nil {
		check.Detail, check.Cure = err.Error(), cureOf(err)
		return check
	}
	check.Status = adapters.CheckOK
	check.Detail = fmt.Sprintf("one of %s was ready in %v", info.Image, took.Round(time.Millisecond))
	return check
}

func cureOf(err error) string {
	if e, ok := errors.AsType[*quixand.Error](err); ok {
		return e.Hint
	}
	return ""
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
