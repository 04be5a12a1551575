package timeouts

import (
	"context"
	"time"
)

// The names of the enforcers, as QS_ENFORCER and a sandbox's Info have them.
const (
	AgentName   = "agent"
	SystemdName = "systemd"
	ProcessName = "process"
)

// Enforcer sees to it that somebody looks at sandboxes when their time may be
// up. Its methods are safe for concurrent use.
type Enforcer interface {
	// Name is one of the names above.
	Name() string
	// Arm has the sandbox looked at once, no later than after the given time,
	// with the note at hand. An earlier look that is due already stays.
	Arm(ctx context.Context, id string, after time.Duration, note Note) error
	// Disarm forgets the sandbox. One that is not known is no error.
	Disarm(ctx context.Context, id string) error
	// Armed lists the sandboxes that are going to be looked at.
	Armed(ctx context.Context) ([]string, error)
	// Close ends the looks that are under way in this process, and returns
	// when they have ended.
	Close()
}

// Note is what one look at a sandbox tells the next.
type Note struct {
	// Idle is the sandbox's idle timeout when its agent was last heard of; zero:
	// that of its creation.
	Idle time.Duration
	// SilentSince is when its agent was first found not to answer, since the
	// host's boot without suspension; zero: it answered.
	SilentSince time.Duration
}

// Look is what an enforcer does in this process when the time has come.
type Look func(ctx context.Context, id string, note Note)
