package local

import (
	"testing"

	"github.com/quixand/quixand/pkg/adapters"
)

func TestJudge(t *testing.T) {
	rules := []Rule{
		Means(adapters.ErrExhausted, "log out", "keyctl", "quota exceeded"),
		Means(adapters.ErrExhausted, "tidy up", "quota exceeded"),
	}
	for message, hint := range map[string]string{
		"join KEYCTL: Quota exceeded": "log out",
		"write: quota exceeded":       "tidy up",
		"keyctl":                      "",
		"":                            "",
	} {
		r, ok := Judge(rules, message)
		if ok != (hint != "") || r.Hint != hint {
			t.Errorf("%q: %+v, %v", message, r, ok)
		}
	}
}
