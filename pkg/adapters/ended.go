package adapters

import (
	"context"
	"fmt"
	"time"
)

// Reason says why a sandbox ended.
type Reason string

const (
	ReasonKilled    Reason = "killed"    // somebody asked for it
	ReasonIdle      Reason = "idle"      // nothing had happened for its idle timeout
	ReasonLifetime  Reason = "lifetime"  // its absolute end was reached
	ReasonAbandoned Reason = "abandoned" // it was its creator's, who is gone
	ReasonMemory    Reason = "memory"    // the kernel had no more memory for it
	ReasonExited    Reason = "exited"    // its first process ended by itself
	ReasonEngine    Reason = "engine"    // removed or killed by the engine's own means
	ReasonHost      Reason = "host"      // the host, or the user's session, was restarted
	ReasonUnknown   Reason = "unknown"   // nothing is left that tells
)

// KillOptions says why a sandbox is ended, which is remembered for those who
// ask for it later, and how.
type KillOptions struct {
	Reason Reason // never empty
	By     string // who asked, in words for a person; may be empty
	// NoWait lets Kill return as soon as the sandbox is gone, while a process
	// of the engine's that watched over it may still be about to end.
	NoWait bool
}

// Ended is what is remembered for a while of a sandbox that has ended. It is
// an error, so that errors.As finds it in the one of a call that came too
// late. What it holds from inside the sandbox (Detail, Output) is hostile text
// of bounded size.
type Ended struct {
	ID       string            `json:"id"`
	Name     string            `json:"name,omitempty"`
	Adapter  string            `json:"adapter"`
	Root     string            `json:"root"`
	Image    string            `json:"image,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Created  time.Time         `json:"created,omitzero"`
	Time     time.Time         `json:"time"` // of its end, or of its discovery where Reason is unknown

	Reason   Reason `json:"reason"`
	By       string `json:"by,omitempty"`       // who killed it
	Detail   string `json:"detail,omitempty"`   // in words: "idle for 5m0s"
	Limit    string `json:"limit,omitempty"`    // the limit that was hit: "idle timeout 5m0s"
	ExitCode *int   `json:"exitCode,omitempty"` // of its first process; nil: not known
	Output   string `json:"output,omitempty"`   // the end of what its commands have written
}

// Error tells the reason without the id, which its [Error] has.
func (e *Ended) Error() string {
	ago := time.Since(e.Time).Round(time.Second)
	return fmt.Sprintf("the sandbox ended %v ago: %s", max(0, ago), e.Why())
}

// Why tells the reason in words, on one line.
func (e *Ended) Why() string {
	switch {
	case e.Reason == ReasonKilled && e.By != "":
		return "killed by " + e.By
	case e.Detail != "":
		return e.Detail
	}
	return reasonWords[e.Reason]
}

var reasonWords = map[Reason]string{
	ReasonKilled:    "killed",
	ReasonIdle:      "idle for too long",
	ReasonLifetime:  "its lifetime was over",
	ReasonAbandoned: "its creator was gone",
	ReasonMemory:    "out of memory",
	ReasonExited:    "its first process ended by itself",
	ReasonEngine:    "killed or removed by means of the engine",
	ReasonHost:      "the host or the user's session was restarted",
	ReasonUnknown:   "nothing is left that tells why",
}

// Historian is implemented by adapters that remember sandboxes that have
// ended, for about a day.
type Historian interface {
	// Ended tells how a sandbox ended. ErrNotFound says that nothing is known
	// of it, or that it has not ended.
	Ended(ctx context.Context, id string) (*Ended, error)
	// AwaitEnded waits until the sandbox has ended, and tells how.
	AwaitEnded(ctx context.Context, id string) (*Ended, error)
	// AllEnded lists those of the adapter's root, latest end first.
	AllEnded(ctx context.Context) ([]*Ended, error)
}
