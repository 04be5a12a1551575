package agentapi

import "time"

// EndName appears in SocketDir, by rename, when the agent is about to exit: an
// End as JSON, of at most MaxEnd bytes. The directory outlives the sandbox
// until the host has read it. An agent that was killed leaves none.
const (
	EndName = "end.json"
	MaxEnd  = 16 << 10
	// MaxEndOutput bounds End.Output. JSON makes a byte up to six times longer.
	MaxEndOutput = 2 << 10
)

// Why an agent ends its sandbox. The host believes no other word of it.
const (
	EndIdle      = "idle"      // nothing had happened for the idle timeout
	EndLifetime  = "lifetime"  // the absolute end was reached
	EndAbandoned = "abandoned" // nobody holds the sandbox's lease any more
	EndMemory    = "memory"    // there was no memory to go on with
	EndStopped   = "stopped"   // a signal asked for it: SIGTERM or SIGINT
	EndFailed    = "failed"    // an error of the agent's own
)

// End is why an agent has ended its sandbox.
type End struct {
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail,omitempty"` // in words: "idle for 5m0s"
	Time     time.Time `json:"time"`
	ExitCode int       `json:"exitCode"`         // of the agent, as the engine will see it
	Output   string    `json:"output,omitempty"` // the end of what commands have written
}
