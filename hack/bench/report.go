//go:build containers_image_openpgp

package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is one line of the table: a figure of ours beside a reference that was
// measured in turn with it.
type row struct {
	Name      string  `json:"name"`
	Unit      string  `json:"unit"`
	Ours      figure  `json:"ours"`
	Reference string  `json:"reference,omitempty"`
	Theirs    *figure `json:"theirs,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"` // of the medians, ours / theirs
	Target    string  `json:"target,omitempty"`
	Met       *bool   `json:"met,omitempty"`
}

type figure struct {
	Median float64 `json:"median"`
	P99    float64 `json:"p99"`
	N      int     `json:"n"`
}

// samples are durations, or any figures in the unit of their row.
type samples []float64

func (s *samples) add(d time.Duration) { *s = append(*s, float64(d)/float64(time.Millisecond)) }

// less is what these took more than others that were taken in turn with them.
func (s samples) less(others samples) samples {
	more := slices.Clone(s)
	for i := range more {
		more[i] -= others[i]
	}
	return more
}

func (s samples) figure() figure {
	if len(s) == 0 {
		return figure{}
	}
	sorted := slices.Sorted(slices.Values(s))
	at := func(q float64) float64 { return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))] }
	return figure{Median: at(0.5), P99: at(0.99), N: len(sorted)}
}

// atMost is a target for a ratio, or for the figure itself where there is no
// reference.
type target struct {
	limit float64
	text  string
}

func ratioAtMost(r float64) target { return target{r, fmt.Sprintf("≤ %.3g×", r)} }

func atMost(v float64, unit string) target { return target{v, fmt.Sprintf("≤ %g %s", v, unit)} }

var noTarget = target{}

// report adds a row and prints it at once: a long run that is cut off has
// still said what it knew.
func (b *bench) report(name, unit string, ours samples, reference string, theirs samples, t target) {
	r := row{Name: name, Unit: unit, Ours: ours.figure(), Reference: reference, Target: t.text}
	judged := r.Ours.Median
	if theirs != nil {
		f := theirs.figure()
		r.Theirs = &f
		if f.Median > 0 {
			r.Ratio = r.Ours.Median / f.Median
		}
		judged = r.Ratio
	}
	if t.limit > 0 {
		met := judged <= t.limit
		r.Met = &met
	}
	b.rows = append(b.rows, r)
	fmt.Println(r.line())
}

func (r row) line() string {
	var their, ratio, verdict string
	if r.Theirs != nil {
		their = fmt.Sprintf("%9.3f %9.3f", r.Theirs.Median, r.Theirs.P99)
		ratio = fmt.Sprintf("%.2f×", r.Ratio)
	}
	if r.Met != nil {
		verdict = map[bool]string{true: "met", false: "MISSED"}[*r.Met]
	}
	return fmt.Sprintf("%-34s %-5s %9.3f %9.3f  %-22s %19s %8s  %-9s %s",
		r.Name, r.Unit, r.Ours.Median, r.Ours.P99, r.Reference, their, ratio, r.Target, verdict)
}

func (b *bench) header() {
	fmt.Printf("%s, image %s\n\n", hostLine(), b.image)
	fmt.Printf("%-34s %-5s %9s %9s  %-22s %9s %9s %8s  %s\n",
		"figure", "unit", "median", "p99", "reference", "median", "p99", "ratio", "target")
}

func (b *bench) footer() {
	missed := 0
	for _, r := range b.rows {
		if r.Met != nil && !*r.Met {
			missed++
		}
	}
	fmt.Printf("\n%d figures, %d targets missed, %s\n", len(b.rows), missed, time.Since(b.started).Round(time.Second))
}

func hostLine() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%d cores, Linux %s, load %s", runtime.NumCPU(),
		strings.TrimSpace(string(kernel)), strings.Join(strings.Fields(string(load))[:3], " "))
}

// inTurn calls the functions one after the other, n times, so that a drift of
// the machine meets them all alike, and returns the times of each.
func inTurn(n int, fns ...func() error) ([]samples, error) {
	return inTurnAfter(func() {}, n, fns...)
}

// inTurnAfter is inTurn that has something done before each call, untimed.
func inTurnAfter(prepare func(), n int, fns ...func() error) ([]samples, error) {
	clocked := make([]func() (time.Duration, error), len(fns))
	for i, fn := range fns {
		clock := timed(fn)
		clocked[i] = func() (time.Duration, error) { prepare(); return clock() }
	}
	return timedInTurn(n, clocked...)
}

// timedInTurn is inTurn for calls of which only a part counts: they tell how long
// that took.
func timedInTurn(n int, fns ...func() (time.Duration, error)) ([]samples, error) {
	times := make([]samples, len(fns))
	for i := range n + 1 {
		for j, fn := range fns {
			took, err := fn()
			if err != nil {
				return nil, err
			}
			if i > 0 { // the first round warms up
				times[j].add(took)
			}
		}
	}
	return times, nil
}

// timed is a call of which all counts.
func timed(fn func() error) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		start := time.Now()
		err := fn()
		return time.Since(start), err
	}
}
