package termsafe

import (
	"strings"
	"testing"
)

func TestBrief(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                   "plain",
		" a\nb\r\x1b[2Jc\x00 ":    "a b  [2Jc",
		"\xffé":                   "�é",
		"\u202e\u200bx":           "x",
		strings.Repeat("é", 1000): strings.Repeat("é", 512) + "…",
	} {
		if got := Brief(in); got != want {
			t.Errorf("Brief(%.40q) = %.40q, want %.40q", in, got, want)
		}
	}
}
