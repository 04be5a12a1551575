package cli

import "io"

// escapeReader passes on what the user types until "~." at the beginning of a
// line, which ends the session as ssh's escape does: in raw mode no Ctrl-C
// reaches qs, and a sandbox that hangs must not hold the user's terminal.
// "~~" is a tilde.
type escapeReader struct {
	r     io.Reader
	state escapeState
}

type escapeState int

const (
	lineBegins escapeState = iota
	inLine
	afterTilde
)

func (e *escapeReader) Read(p []byte) (int, error) {
	if len(p) < 2 {
		return 0, io.ErrShortBuffer // room for a held tilde and a key
	}
	for {
		n, err := e.r.Read(p[1:])
		out, left := e.filter(p, p[1:1+n])
		switch {
		case left:
			return out, errLeft
		case out > 0 || err != nil:
			return out, err
		}
	}
}

// filter writes to out, which begins one byte before in, what of in is not an
// escape.
func (e *escapeReader) filter(out, in []byte) (n int, left bool) {
	for _, c := range in {
		switch {
		case e.state == lineBegins && c == '~':
			e.state = afterTilde
			continue
		case e.state == afterTilde && c == '.':
			return n, true
		case e.state == afterTilde && c != '~':
			out[n] = '~'
			n++
		}
		out[n] = c
		n++
		e.state = inLine
		if c == '\r' || c == '\n' {
			e.state = lineBegins
		}
	}
	return n, false
}
