package buildkit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"strings"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/pkg/adapters"
)

// place is where BuildKit says that a build has failed.
type place struct {
	digest      string // of the vertex
	first, last int    // lines of the recipe
}

// explain says which instruction of the recipe has failed, where it is one that
// has.
func explain(err error, recipe []byte, said *progress) error {
	answer, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return err
	}
	at := placeOf(answer)
	v := said.vertex(at.digest)
	instruction := cmp.Or(v.step.Instruction, at.text(recipe))
	if instruction == "" {
		return err
	}
	return &adapters.BuildError{
		Instruction: instruction, Line: at.first, Output: v.last, Err: errors.New(shortened(answer.Message())),
	}
}

// placeOf reads the details of an error, which are JSON.
func placeOf(answer *connect.Error) (at place) {
	for _, detail := range answer.Details() {
		var told struct {
			Digest string
			Ranges []struct{ Start, End struct{ Line int } }
		}
		kind := detail.Type()
		if json.Unmarshal(detail.Bytes(), &told) != nil {
			continue
		}
		switch {
		case strings.HasSuffix(kind, "errdefs.Vertex+json"):
			at.digest = told.Digest
		case strings.HasSuffix(kind, "errdefs.Source+json") && len(told.Ranges) > 0:
			at.first, at.last = told.Ranges[0].Start.Line, told.Ranges[0].End.Line
		}
	}
	return at
}

// text is the instruction as it is in the recipe.
func (at place) text(recipe []byte) string {
	lines := bytes.Split(recipe, []byte("\n"))
	if at.first < 1 || at.last < at.first || at.last > len(lines) {
		return ""
	}
	return string(bytes.TrimSpace(bytes.Join(lines[at.first-1:at.last], []byte("\n"))))
}

// shortened leaves out what repeats the instruction.
func shortened(said string) string {
	said = strings.TrimPrefix(said, "failed to solve: ")
	if _, reason, ok := cutLast(said, `" did not complete successfully: `); ok {
		return reason
	}
	return said
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
