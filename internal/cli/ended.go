package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/quixand"
)

// endedJSON is a sandbox that has ended, in the output of --json. It is a
// promise: fields may be added and none changed.
type endedJSON struct {
	ID       string            `json:"id"`
	Name     string            `json:"name,omitempty"`
	State    string            `json:"state"` // ended
	Image    string            `json:"image"`
	Adapter  string            `json:"adapter"`
	Root     string            `json:"root"`
	Created  time.Time         `json:"created,omitzero"`
	Ended    time.Time         `json:"ended"`
	Reason   string            `json:"reason"`
	By       string            `json:"by,omitempty"`
	Detail   string            `json:"detail,omitempty"`
	Limit    string            `json:"limit,omitempty"`
	ExitCode *int              `json:"exitCode"` // null: not known
	Output   string            `json:"output"`
	Metadata map[string]string `json:"metadata"`
}

const stateEnded = "ended"

func newEndedJSON(e *quixand.Ended) *endedJSON {
	out := &endedJSON{
		ID: e.ID, Name: e.Name, State: stateEnded, Image: e.Image, Adapter: e.Adapter, Root: e.Root,
		Created: e.Created.UTC(), Ended: e.Time.UTC(), Reason: string(e.Reason), By: e.By, Detail: e.Detail,
		Limit: e.Limit, ExitCode: e.ExitCode, Output: e.Output, Metadata: e.Metadata,
	}
	if out.Metadata == nil {
		out.Metadata = map[string]string{}
	}
	return out
}

// printEnded shows what is remembered of a sandbox.
func (a *App) printEnded(e *quixand.Ended) error {
	if a.global.json {
		return a.printJSON(newEndedJSON(e))
	}
	t := a.newTable()
	t.row("ID:", e.ID)
	if e.Name != "" {
		t.row("Name:", e.Name)
	}
	t.row("State:", stateEnded+" "+relative(a.Now(), e.Time))
	t.row("Reason:", reasonOf(e))
	if e.Limit != "" {
		t.row("Limit:", e.Limit)
	}
	if e.ExitCode != nil {
		t.row("Exit code:", fmt.Sprint(*e.ExitCode))
	}
	if e.Image != "" {
		t.row("Image:", e.Image)
	}
	if !e.Created.IsZero() {
		t.row("Created:", relative(a.Now(), e.Created))
	}
	for _, k := range slices.Sorted(maps.Keys(e.Metadata)) {
		t.row("Metadata:", k+"="+e.Metadata[k])
	}
	for line := range strings.Lines(e.Output) {
		t.row("Last output:", strings.TrimRight(line, "\r\n"))
	}
	return t.flush()
}

// reasonOf tells why a sandbox ended: the word for programs and people to look
// for, and the rest of the story.
func reasonOf(e *quixand.Ended) string {
	word, why := string(e.Reason), termsafe.Line(e.Why())
	if strings.HasPrefix(why, word) {
		return why
	}
	return word + ": " + why
}

// endedStatus is the exit code of a verb that has shown all there is to say.
func endedStatus() error { return commandStatus(exitNotFound) }

// rowOf is an ended sandbox in the table of qs ps --all.
func rowOf(now time.Time, e *quixand.Ended) []string {
	return []string{e.ID, e.Image, stateEnded + ": " + termsafe.Line(e.Why()), relative(now, e.Created)}
}
