package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/quixand/quixand/internal/termsafe"
)

// statusLine is a line on the user's terminal that tells how far something is,
// and that vanishes in the end. Where standard error is no terminal it does
// nothing. It is a screenful of code instead of a library because a library's
// widths and colours would be linked into every start of qs.
type statusLine struct {
	w   io.Writer // nil: do nothing
	fd  int
	now func() time.Time

	mu    sync.Mutex // a transfer that failed may still be reading
	drawn time.Time  // zero: nothing is on the screen
	over  bool
}

// redrawEvery keeps fast transfers from spending their time on the terminal.
const redrawEvery = 100 * time.Millisecond

func (a *App) newStatusLine(quiet bool) *statusLine {
	fd, ok := terminalFD(a.Stderr)
	if !ok || quiet || a.global.json {
		return &statusLine{}
	}
	return &statusLine{w: a.Stderr, fd: fd, now: a.Now}
}

// set shows text, cut to the terminal's width: a line that wraps could not be
// taken back.
func (l *statusLine) set(text string) {
	if l.w == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.now().Sub(l.drawn) < redrawEvery {
		return
	}
	width, _, err := term.GetSize(l.fd)
	if err != nil || width < 10 {
		width = 80
	}
	l.drawn = l.now()
	fmt.Fprintf(l.w, "\r%s\x1b[K", fit(termsafe.Line(text), width-1))
}

// clear takes the line off the screen for good.
func (l *statusLine) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if !l.drawn.IsZero() {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}

// fit shortens s to at most half as many runes as the terminal has columns if
// it is not ASCII, where a rune may take two.
func fit(s string, columns int) string {
	runes := []rune(s)
	if len(runes) != len(s) {
		columns /= 2
	}
	if len(runes) <= columns {
		return s
	}
	return string(runes[:columns])
}

// transfer shows the progress of copying bytes.
type transfer struct {
	line  *statusLine
	name  string
	total int64 // 0: not known
	begun time.Time
}

func (a *App) newTransfer(name string, total int64) *transfer {
	return &transfer{line: a.newStatusLine(false), name: name, total: total, begun: a.Now()}
}

// progress is told the bytes copied so far.
func (t *transfer) progress(done int64) {
	if t.line.w == nil {
		return
	}
	text := t.name + ": "
	if t.total > 0 {
		part := min(1, float64(done)/float64(t.total))
		text += fmt.Sprintf("[%-20s] %3.0f %%, ", strings.Repeat("=", int(part*20)), part*100)
		text += size(done) + " of " + size(t.total)
	} else {
		text += size(done)
	}
	if took := t.line.now().Sub(t.begun).Seconds(); took > 0 {
		text += fmt.Sprintf(", %s/s", size(int64(float64(done)/took)))
	}
	t.line.set(text)
}
