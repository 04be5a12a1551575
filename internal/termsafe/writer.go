package termsafe

import (
	"io"
	"unicode/utf8"
)

// Writer is [Text] for a stream. It keeps carriage returns as well, which
// progress bars need and which reach no further than their own line. It is not
// safe for concurrent use.
type Writer struct {
	w    io.Writer
	tail []byte // the beginning of a rune whose rest is still to come
}

const keptInStreams = "\n\t\r"

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes what p holds, save the last bytes when they are the beginning of
// a rune: those wait for the next Write or for Flush.
func (w *Writer) Write(p []byte) (int, error) {
	s := string(append(w.tail, p...))
	whole := len(s) - incomplete(s)
	w.tail = append(w.tail[:0], s[whole:]...)
	if _, err := io.WriteString(w.w, sanitize(s[:whole], keptInStreams)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what waits for the rest of a rune that does not come.
func (w *Writer) Flush() error {
	s := string(w.tail)
	w.tail = w.tail[:0]
	_, err := io.WriteString(w.w, sanitize(s, keptInStreams))
	return err
}

// incomplete counts the bytes at the end of s that may become a rune.
func incomplete(s string) int {
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		end := s[len(s)-n:]
		if !utf8.RuneStart(end[0]) {
			continue
		}
		if utf8.FullRuneInString(end) {
			return 0
		}
		return n
	}
	return 0
}
