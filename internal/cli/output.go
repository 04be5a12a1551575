package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/quixand/quixand/internal/termsafe"
)

// terminalFD gives the file descriptor of a stream that is a terminal.
func terminalFD(stream any) (int, bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return -1, false
	}
	return int(f.Fd()), true
}

// printJSON prints a result as indented JSON.
func (a *App) printJSON(v any) error {
	b, err := marshal(v, "  ")
	if err != nil {
		return err
	}
	_, err = a.Stdout.Write(b)
	return err
}

// printLines prints each text on a line of its own.
func (a *App) printLines(lines []string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(a.Stdout, termsafe.Line(line)); err != nil {
			return err
		}
	}
	return nil
}

// marshal gives a value as JSON for a terminal or a program, not for a web page.
func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return termsafe.JSON(b.Bytes()), nil
}

// table prints rows in columns. Cells are one line each, whatever is in them.
type table struct {
	w   *tabwriter.Writer
	err error
}

func (a *App) newTable(header ...string) *table {
	t := &table{w: tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)}
	if header != nil {
		t.row(header...)
	}
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = termsafe.Line(c)
	}
	if _, err := io.WriteString(t.w, strings.Join(cells, "\t")+"\n"); err != nil && t.err == nil {
		t.err = err
	}
}

func (t *table) flush() error {
	if t.err != nil {
		return t.err
	}
	return t.w.Flush()
}

// guarded is stream made safe for the terminal that it may be; the function
// ends it. What is not a terminal gets every byte as it is.
func guarded(stream io.Writer) (io.Writer, func() error) {
	if _, ok := terminalFD(stream); !ok {
		return stream, func() error { return nil }
	}
	w := termsafe.NewWriter(stream)
	return w, w.Flush
}

// relative tells a time as people do: "2m ago", "in 30s". The zero time is "-".
func relative(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	if d := t.Sub(now).Round(time.Second); d > 0 {
		return "in " + d.String()
	}
	return roughly(now.Sub(t)) + " ago"
}

// roughly gives a duration in its largest unit.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// size gives a number of bytes as people read it, in powers of 1024.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 && unit < 4 {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTP"[unit])
}
