package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

type eventsOptions struct {
	app   *App
	since string
}

func newEventsCmd(a *App) *cobra.Command {
	o := &eventsOptions{app: a}
	cmd := &cobra.Command{
		Use:   "events [flags]",
		Short: "Show what happens to sandboxes, as it happens",
		Long: `Show what happens to the sandboxes of this Quixand root, whoever causes it, until
it is interrupted: created, started, ready, exec, paused, resumed, killed,
expired, oom, died, removed. With --json each event is one line.`,
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&o.since, "since", "", "begin with what has happened since a time (RFC 3339), or for so long (10m)")
	return cmd
}

func (o *eventsOptions) run(ctx context.Context) error {
	since, err := o.begin()
	if err != nil {
		return err
	}
	c, err := o.app.client()
	if err != nil {
		return err
	}
	for event, err := range c.Events(ctx, since) {
		if err == nil {
			err = o.show(&event)
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// begin reads --since.
func (o *eventsOptions) begin() (time.Time, error) {
	if o.since == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(o.since); err == nil && d >= 0 {
		return o.app.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, o.since)
	if err != nil {
		return t, usagef("--since %q: must be a time such as 2006-01-02T15:04:05Z, or a duration such as 10m", o.since)
	}
	return t, nil
}

// eventJSON is one line of events --json. It is a promise: fields may be added
// and none changed.
type eventJSON struct {
	Time   time.Time          `json:"time"`
	ID     string             `json:"id"`
	Type   adapters.EventType `json:"type"`
	Reason string             `json:"reason,omitempty"`
	Detail string             `json:"detail,omitempty"`
	PID    int                `json:"pid,omitempty"`
}

func (o *eventsOptions) show(e *quixand.Event) error {
	if o.app.global.json {
		return o.app.printLineJSON(eventJSON{e.Time.UTC(), e.ID, e.Type, string(e.Reason), e.Detail, e.PID})
	}
	line := fmt.Sprintf("%s  %s  %s", e.Time.Local().Format(time.RFC3339), e.ID, e.Type)
	if e.Reason != "" {
		line += " (" + string(e.Reason) + ")"
	}
	if e.Detail != "" {
		line += "  " + e.Detail
	}
	_, err := fmt.Fprintln(o.app.Stdout, termsafe.Line(line))
	return err
}
