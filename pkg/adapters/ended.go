package adapters

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
