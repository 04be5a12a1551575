package quixand

import (
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/agentapi"
)

func TestLastLines(t *testing.T) {
	for _, c := range []struct {
		kept  string // pieces with | between them
		lines int
		want  string
	}{
		{"", 1, ""},
		{"a\n", 1, "a\n"},
		{"a\n", 2, "a\n"},
		{"a\nb\n", 1, "b\n"},
		{"a\nb", 1, "b"},
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb|b\nc\n", 2, "bb\nc\n"},
		{"a\n|b\n", 1, "b\n"},
		{"a\n|\n|\n", 2, "\n\n"},
		{"a\nb\n|", 1, "b\n"},
		{"a|b|c", 1, "abc"},
	} {
		var records []agentapi.Record
		for piece := range strings.SplitSeq(c.kept, "|") {
			records = append(records,
				agentapi.Record{Type: agentapi.RecordOutput, Data: []byte(piece)},
				agentapi.Record{Type: agentapi.RecordExit})
		}
		var got strings.Builder
		for _, r := range lastLines(records, c.lines) {
			got.Write(r.Data)
		}
		if got.String() != c.want {
			t.Errorf("%q, %d lines: %q, want %q", c.kept, c.lines, &got, c.want)
		}
	}
}
