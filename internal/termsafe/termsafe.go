// Package termsafe makes text that comes out of a sandbox harmless to a
// terminal. A name, a message or a program's output may hold escape sequences
// that move the cursor, rewrite what was shown, answer on the keyboard's behalf
// or reach the clipboard; here they become visible text.
//
// It knows no sequence's meaning: every control character loses its power, so
// that nothing depends on a list of dangerous ones. Colours go with them. Text
// that is not for a terminal must not pass through here.
package termsafe

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Line makes s safe to print as a part of one line: line breaks and tabs are
// shown, too, so that a name cannot forge another row of a table.
func Line(s string) string { return sanitize(s, "") }

// Text makes s safe to print as lines of text: it keeps line feeds and tabs.
func Text(s string) string { return sanitize(s, "\n\t") }

func sanitize(s, keep string) string {
	if i := unsafeAt(s, keep); i == len(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		n := unsafeAt(s, keep)
		b.WriteString(s[:n])
		if s = s[n:]; s == "" {
			break
		}
		r, size := utf8.DecodeRuneInString(s)
		b.WriteString(visible(r))
		s = s[size:]
	}
	return b.String()
}

// unsafeAt is the length of the longest harmless beginning of s.
func unsafeAt(s, keep string) int {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if isControl(rune(c)) && strings.IndexByte(keep, c) < 0 {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !harmless(r, size) {
			return i
		}
		i += size
	}
	return len(s)
}

// harmless judges a rune beyond ASCII. A byte that is not UTF-8 (size 1) is
// not: a terminal in an 8-bit mode reads 0x9b as the start of a sequence.
func harmless(r rune, size int) bool {
	return size > 1 && !isControl(r) && !isBidi(r) && r != '\u2028' && r != '\u2029'
}

// isControl reports C0, DEL and C1.
func isControl(r rune) bool { return r < 0x20 || (r >= 0x7f && r < 0xa0) }

// isBidi reports the characters that show text in another order than the one
// it is in: embeddings, overrides and isolates.
func isBidi(r rune) bool {
	return (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)
}

// visible is what an unsafe rune is shown as: in caret notation, as cat -v
// does, or by its number.
func visible(r rune) string {
	switch {
	case r == utf8.RuneError:
		return string(utf8.RuneError)
	case r == 0x7f:
		return "^?"
	case r < 0x20:
		return string([]byte{'^', byte(r) + '@'})
	}
	return fmt.Sprintf("<U+%04X>", r)
}
