package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// errLeft is the end of a session by the user's escape.
var errLeft = errors.New("left the session")

// keysAhead is how many reads of the keyboard a sandbox may be behind before
// typing waits for it.
const keysAhead = 1024

// keyboard types what the user types. Reading goes on while a write waits, or
// else nobody could leave a session that hangs. It ends with the program: the
// read of a terminal cannot be called off.
func keyboard(from io.Reader, to io.Writer, leave context.CancelCauseFunc) {
	defer noPanic(leave)
	typed := make(chan []byte, keysAhead)
	defer close(typed)
	go func() {
		defer noPanic(leave)
		for keys := range typed {
			// An error comes from a command that has ended, or from a sandbox
			// that has: its output tells which.
			_, _ = to.Write(keys)
		}
	}()
	in := &escapeReader{r: from}
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		typed <- bytes.Clone(buf[:n])
		if errors.Is(err, errLeft) {
			leave(err)
		}
		if err != nil {
			return
		}
	}
}

// noPanic keeps a panic of a goroutine from ending the program before the
// terminal is given back.
func noPanic(leave context.CancelCauseFunc) {
	if p := recover(); p != nil {
		leave(errors.New("a bug of qs ended the session, please report it"))
	}
}

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
