package cli

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

// timing notes how long each phase of a verb took, in order, for --timing.
type timing struct {
	now   func() time.Time
	begun time.Time
	names []string
	took  map[string]time.Duration
}

func newTiming(now func() time.Time) *timing {
	return &timing{now: now, begun: now(), took: make(map[string]time.Duration)}
}

// note takes the end of a phase of a creation.
func (t *timing) note(p quixand.Progress) {
	if p.Done {
		t.add(string(p.Phase), p.Elapsed)
	}
}

// measure begins a phase; the result ends it.
func (t *timing) measure(name string) func() {
	begun := t.now()
	return func() { t.add(name, t.now().Sub(begun)) }
}

func (t *timing) add(name string, d time.Duration) {
	if _, ok := t.took[name]; !ok {
		t.names = append(t.names, name)
	}
	t.took[name] += d
}

// print writes a table to standard error, so that the output of a command stays
// what it is.
func (t *timing) print(a *App) {
	if a.global.json {
		a.printJSONLine(map[string]any{"timingMs": t.milliseconds()})
		return
	}
	t.add("total", t.now().Sub(t.begun))
	w := tabwriter.NewWriter(a.Stderr, 0, 0, 1, ' ', tabwriter.AlignRight)
	for _, name := range t.names {
		fmt.Fprintf(w, "%s\t%.1f ms\t\n", name, inMilliseconds(t.took[name]))
	}
	w.Flush()
}

func (t *timing) milliseconds() map[string]float64 {
	t.add("total", t.now().Sub(t.begun))
	ms := make(map[string]float64, len(t.took))
	for name, d := range t.took {
		ms[name] = inMilliseconds(d)
	}
	return ms
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
