package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// statusJSON is the output of status --json. A side that did not answer is
// null, and its error says why.
type statusJSON struct {
	ID          string       `json:"id"`
	Engine      *sandboxJSON `json:"engine"`
	Agent       *agentJSON   `json:"agent"`
	EngineError string       `json:"engineError,omitempty"`
	AgentError  string       `json:"agentError,omitempty"`
}

// agentJSON is what the agent says of its sandbox.
type agentJSON struct {
	Version            string    `json:"version"`
	User               string    `json:"user"`
	Home               string    `json:"home"`
	Workdir            string    `json:"workdir"`
	Created            time.Time `json:"created"`
	LastActive         time.Time `json:"lastActive"`
	InFlight           int       `json:"inFlight"`
	Processes          int       `json:"processes"`
	IdleTimeoutSeconds *float64  `json:"idleTimeoutSeconds"` // null: none
	Deadline           time.Time `json:"deadline,omitzero"`
	LifetimeEnds       time.Time `json:"lifetimeEnds,omitzero"`
	OnTimeout          string    `json:"onTimeout"` // kill or pause
	Enforcers          []string  `json:"enforcers"` // who sees to it: agent, systemd, process

	Labels map[string]string `json:"labels"`
}

func newAgentJSON(s *quixand.Status) *agentJSON {
	return &agentJSON{
		Version: s.Agent, User: s.User, Home: s.Home, Workdir: s.Workdir,
		Created: s.Created.UTC(), LastActive: s.LastActive.UTC(), InFlight: s.InFlight, Processes: s.Processes,
		IdleTimeoutSeconds: seconds(s.IdleTimeout), Deadline: s.Deadline.UTC(), LifetimeEnds: s.Lifetime.UTC(),
		OnTimeout: string(s.OnTimeout), Enforcers: s.Enforcers,
		Labels: notNil(s.Labels),
	}
}

// seconds is a timeout in JSON: null when there is none.
func seconds(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	s := d.Seconds()
	return &s
}

type statusOptions struct {
	app *App
	id  string
}

func newStatusCmd(a *App) *cobra.Command {
	o := &statusOptions{app: a}
	return &cobra.Command{
		Use:     "status [flags] ID",
		Aliases: []string{"inspect"},
		Short:   "Show a sandbox as the engine and its agent see it",
		Long: `Show a sandbox as the engine and its agent see it. When one of them does not
answer, what the other says is shown all the same. Of one that has ended is shown
why and when, with exit code 3.`,
		Args:              nargs(1, 1, "ID"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			return o.run(cmd.Context())
		},
	}
}

// twoViews is a sandbox seen from both sides.
type twoViews struct {
	info     *quixand.Info
	infoErr  error
	agent    *quixand.Status
	agentErr error
}

func (o *statusOptions) run(ctx context.Context) error {
	c, err := o.app.client()
	if err != nil {
		return err
	}
	v := look(ctx, c, o.id)
	if ended := v.ended(ctx, c); ended != nil {
		return errors.Join(o.app.printEnded(ended), endedStatus())
	}
	if v.infoErr != nil && v.agentErr != nil {
		return v.infoErr
	}
	if o.app.global.json {
		return o.app.printJSON(v.json())
	}
	return v.print(o.app)
}

func look(ctx context.Context, c *quixand.Client, id string) *twoViews {
	v := &twoViews{}
	var both sync.WaitGroup
	both.Go(func() { v.info, v.infoErr = c.Get(ctx, id) })
	both.Go(func() {
		sb, err := c.Connect(ctx, id)
		if err != nil {
			v.agentErr = err
			return
		}
		v.agent, v.agentErr = sb.Status(ctx)
	})
	both.Wait()
	return v
}

// ended tells how the sandbox has ended, if it has. The engine may still be about
// to remove it.
func (v *twoViews) ended(ctx context.Context, c *quixand.Client) *quixand.Ended {
	if v.agentErr == nil {
		return nil
	}
	if ended, ok := errors.AsType[*quixand.Ended](v.infoErr); ok {
		return ended
	}
	if v.info == nil || v.info.State != adapters.StateStopped {
		return nil
	}
	ended, err := c.Ended(ctx, v.info.ID)
	if err != nil {
		return nil
	}
	return ended
}

func (v *twoViews) id() string {
	if v.info != nil {
		return v.info.ID
	}
	return v.agent.ID
}

func (v *twoViews) json() *statusJSON {
	out := &statusJSON{ID: v.id()}
	if v.infoErr != nil {
		out.EngineError = v.infoErr.Error()
	} else {
		engine := newSandboxJSON(v.info)
		out.Engine = &engine
	}
	if v.agentErr != nil {
		out.AgentError = v.agentErr.Error()
	} else {
		out.Agent = newAgentJSON(v.agent)
	}
	return out
}

func (v *twoViews) print(a *App) error {
	t := a.newTable()
	t.row("ID:", v.id())
	if v.info != nil {
		v.printInfo(t, a.Now())
	}
	if v.agent != nil {
		v.printAgent(t, a.Now())
	}
	err := t.flush()
	for _, side := range []struct {
		name string
		err  error
	}{{"engine", v.infoErr}, {"agent", v.agentErr}} {
		if side.err != nil {
			a.printf("qs: this is not all: the %s does not answer: %s\n", side.name, termsafe.Line(side.err.Error()))
		}
	}
	return err
}

func (v *twoViews) printInfo(t *table, now time.Time) {
	i := v.info
	if i.Name != "" {
		t.row("Name:", i.Name)
	}
	t.row("Image:", i.Image)
	if i.Snapshot != "" {
		t.row("Snapshot:", i.Snapshot)
	}
	if i.Fork != "" {
		t.row("Fork of:", i.Fork)
	}
	t.row("State:", string(i.State))
	t.row("Created:", relative(now, i.Created))
	t.row("Workdir:", i.Workdir)
	t.row("Network:", string(i.Network))
	for _, p := range i.Ports {
		t.row("Port:", fmt.Sprintf("127.0.0.1:%d is %d inside", p.HostPort, p.Port))
	}
	t.row("Limits:", limits(i.Resources))
	for _, k := range slices.Sorted(maps.Keys(i.Metadata)) {
		t.row("Metadata:", k+"="+i.Metadata[k])
	}
}

// limits tells which limits are in force, and which are not: on a host without
// controllers, not even those that a sandbox otherwise has unasked.
func limits(r quixand.Resources) string {
	inForce, absent := []string{}, []string{}
	for _, limit := range []struct {
		there      bool
		name, text string
	}{
		{r.MemoryBytes > 0, "memory", "memory " + size(r.MemoryBytes)},
		{r.CPUs > 0, "CPUs", fmt.Sprintf("%g CPUs", r.CPUs)},
		{r.PIDs > 0, "processes", fmt.Sprintf("%d processes", r.PIDs)},
	} {
		if limit.there {
			inForce = append(inForce, limit.text)
		} else {
			absent = append(absent, limit.name)
		}
	}
	if len(absent) > 0 {
		inForce = append(inForce, "none of "+strings.Join(absent, ", "))
	}
	return strings.Join(inForce, "; ")
}

func (v *twoViews) printAgent(t *table, now time.Time) {
	s := v.agent
	t.row("Agent:", s.Agent)
	t.row("User:", s.User)
	for _, k := range slices.Sorted(maps.Keys(s.Labels)) {
		t.row("Label:", k+"="+s.Labels[k])
	}
	t.row("Processes:", fmt.Sprint(s.Processes))
	t.row("Last active:", relative(now, s.LastActive))
	t.row("Ends:", ends(now, s))
	t.row("Enforced by:", strings.Join(s.Enforcers, ", "))
}

// ends tells when a sandbox ends.
func ends(now time.Time, s *quixand.Status) string {
	var parts []string
	if s.IdleTimeout > 0 {
		when := "after " + s.IdleTimeout.String() + " of idleness"
		if !s.Deadline.IsZero() {
			when += ", " + relative(now, s.Deadline)
		}
		if s.OnTimeout == quixand.TimeoutPause {
			when = "is paused " + when
		}
		parts = append(parts, when)
	}
	if !s.Lifetime.IsZero() {
		parts = append(parts, relative(now, s.Lifetime)+" in any case")
	}
	if parts == nil {
		return "when it is killed"
	}
	return strings.Join(parts, "; ")
}
