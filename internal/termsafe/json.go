package termsafe

import (
	"fmt"
	"unicode/utf8"
)

// JSON escapes what encoding/json leaves alone and a terminal obeys: DEL, C1
// and the bidi controls. They can only be part of strings there, so that the
// result means the same.
func JSON(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == '\n' || (r >= 0x20 && r != 0x7f && r < utf8.RuneSelf) || (r >= utf8.RuneSelf && harmless(r, size)) {
			out = append(out, b[:size]...)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[size:]
	}
	return out
}
