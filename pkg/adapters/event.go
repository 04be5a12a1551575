package adapters

import (
	"context"
	"iter"
	"time"
)

// EventStreamer is implemented by adapters that can report what happens to
// sandboxes, also when another program did it. The sequence begins with what
// has happened since a time, as far as the engine remembers; zero is now. It
// ends with ctx or after its first error. What happens to one sandbox comes in
// order; nothing is lost or told twice, though the engine be restarted
// meanwhile, but for what [EventLost] tells of. Where types are named, others are
// left out: to hear of what happens inside sandboxes costs something for each.
type EventStreamer interface {
	Events(ctx context.Context, since time.Time, only ...EventType) iter.Seq2[Event, error]
}

// Event is one change in the life of a sandbox.
type Event struct {
	ID     string    `json:"id"`
	Type   EventType `json:"type"`
	Time   time.Time `json:"time"`
	Reason Reason    `json:"reason,omitempty"` // of killed, expired, oom and died
	Detail string    `json:"detail,omitempty"` // in words, some of them the sandbox's: by whom, how long, which command
	PID    int       `json:"pid,omitempty"`    // of exec, and of oom where it was a command's
}

// EventType names a change in the life of a sandbox.
type EventType string

// The changes in the life of a sandbox. What the engine cannot tell, its agent
// does: ready, exec and lost.
const (
	EventCreated EventType = "created" // the engine knows it
	EventStarted EventType = "started" // its first process runs
	EventReady   EventType = "ready"   // its agent answers
	EventExec    EventType = "exec"    // a command was started in it
	EventPaused  EventType = "paused"
	EventResumed EventType = "resumed"
	EventKilled  EventType = "killed"  // somebody has killed it; died follows
	EventExpired EventType = "expired" // its time was up; died follows
	EventMemory  EventType = "oom"     // the kernel had no more memory for it, or for a command in it
	EventDied    EventType = "died"    // its first process has ended
	EventRemoved EventType = "removed" // the engine has forgotten it
	EventLost    EventType = "lost"    // commands were started in it faster than they were listened to
)
