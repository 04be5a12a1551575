package termsafe

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxBrief bounds what an error quotes of somebody, in bytes.
const maxBrief = 1 << 10

// Brief makes a text fit for an error message: bounded, valid UTF-8, without line
// breaks and control characters.
func Brief(s string) string {
	if len(s) > maxBrief {
		cut := maxBrief
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	return strings.TrimSpace(s)
}
