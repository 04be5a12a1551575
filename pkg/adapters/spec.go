package adapters

import "time"

// Spec is everything an adapter needs to create a sandbox. pkg/quixand fills
// in the defaults, so adapters read it and never guess.
type Spec struct {
	ID    string // never empty; see ValidID
	Name  string // may be empty; see ValidName
	Root  string // never empty; absolute path of the Quixand root that owns it
	Image string // never empty; an image reference as the engine reads it
	// Snapshot names the snapshot that the sandbox starts from, Fork the sandbox
	// of whose file system it gets a copy. At most one of them is set; Image then
	// only says what that one had started from, and Pull is PullNever.
	Snapshot string
	Fork     string
	Workdir  string // never empty; absolute; created when the image lacks it
	// User is the account that code runs as, by name or decimal uid, which the
	// image has to know. Empty is uid 1000, which is made where there is none.
	User string

	Env      map[string]string // for every command; not stored with the engine
	Metadata map[string]string // stored with the engine, returned in Info
	// Startup is kept like Metadata: what the caller has done inside after the
	// creation, which copies of the sandbox need again.
	Startup map[string]string

	IdleTimeout time.Duration // > 0, or NoTimeout
	Lifetime    time.Duration // > 0, or NoTimeout

	// FixedTimeout asks for an IdleTimeout that no activity puts off.
	FixedTimeout bool

	// OnTimeout is what happens to the sandbox when it is idle. A pause is up
	// to the caller; Create refuses it where the host cannot freeze processes.
	OnTimeout TimeoutAction // never empty
	// Enforcers names who ends the sandbox when its time is up, which Info
	// returns. Without "agent" among them the agent keeps the time and does not
	// end the sandbox by itself.
	Enforcers []string // never empty

	// Ephemeral asks for an agent that ends the sandbox, within ten seconds,
	// when nobody holds a lease on it.
	Ephemeral bool

	// Sudo asks for an agent that lets code of the sandbox's user run commands as
	// any other, root included. ErrUnsupported where no code can be root.
	Sudo bool

	Network   Network // never empty
	Ports     []PortMapping
	Resources Resources

	Pull     PullPolicy // never empty
	Budgets  Budgets    // every field > 0
	Progress func(Progress)
}

// NoTimeout stands for a timeout that never fires.
const NoTimeout time.Duration = -1

// TimeoutAction is what happens to a sandbox that has been idle for its
// timeout.
type TimeoutAction string

const (
	TimeoutKill  TimeoutAction = "kill"
	TimeoutPause TimeoutAction = "pause"
)

// Network is what a sandbox can reach.
type Network string

const (
	// NetworkBridge gives a way out to other hosts and none to this one.
	NetworkBridge Network = "bridge"
	// NetworkNone gives a loopback interface and nothing else. The agent
	// and the ports inside are reachable all the same.
	NetworkNone Network = "none"
)

// PortMapping publishes a TCP port by the engine's own means, on the host's
// loopback. HostPort 0 lets the engine choose; Info tells what it chose.
type PortMapping struct {
	Port     int `json:"port"`
	HostPort int `json:"hostPort"`
}

// Resources limits a sandbox. A zero field asks for nothing: the adapter
// applies its own default where the host can enforce it. A non-zero field
// that the host cannot enforce must be refused.
type Resources struct {
	MemoryBytes int64   // resident memory and swap together
	CPUs        float64 // 1.5 is one and a half cores
	PIDs        int64   // processes and threads, the agent's own not counted
}

// PullPolicy says when an image is fetched from its registry.
type PullPolicy string

const (
	PullMissing PullPolicy = "missing"
	PullAlways  PullPolicy = "always"
	PullNever   PullPolicy = "never"
)

// Budgets bounds each phase of a creation by itself, so that a slow pull
// cannot eat the time that starting needs.
type Budgets struct {
	Pull, Create, Start, Ready time.Duration
}

// Phase is a step of a creation. An [*Error] of Create names the phase.
type Phase string

const (
	PhasePull   Phase = "pull"   // the image comes from its registry
	PhaseCopy   Phase = "copy"   // a fork's file system becomes an image; bounded as a pull is
	PhaseCreate Phase = "create" // the engine makes the container
	PhaseStart  Phase = "start"  // the engine starts its first process
	PhaseReady  Phase = "ready"  // the agent answers
)

// Progress is one report about a creation. Calls come one at a time, from
// the goroutine of Create or one that has ended before Create returns.
type Progress struct {
	Phase   Phase         `json:"phase"`
	Message string        `json:"message,omitempty"` // the engine's words, while a phase runs
	Done    bool          `json:"done"`              // the phase has ended well
	Elapsed time.Duration `json:"elapsed"`           // since the phase began
}

// Info is what the engine knows about a sandbox.
type Info struct {
	ID        string            `json:"id"`
	Name      string            `json:"name,omitempty"` // that people gave it, if they did
	Adapter   string            `json:"adapter"`
	Image     string            `json:"image"`
	Snapshot  string            `json:"snapshot,omitempty"` // that it was created from
	Fork      string            `json:"fork,omitempty"`     // id of the sandbox that it is a fork of
	State     State             `json:"state"`
	Created   time.Time         `json:"created"`
	Workdir   string            `json:"workdir"`
	Network   Network           `json:"network"`
	Ports     []PortMapping     `json:"ports,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Startup   map[string]string `json:"startup,omitempty"`
	Resources Resources         `json:"resources"`
	Ephemeral bool              `json:"ephemeral,omitempty"` // ends with its creator
	User      string            `json:"user,omitempty"`      // see Spec
	Sudo      bool              `json:"sudo,omitempty"`      // see Spec
	Root      string            `json:"root"`

	// Age is the time since the creation on a clock that no jump of the wall
	// clock disturbs; that the host was suspended does not count.
	Age         time.Duration `json:"age"`
	IdleTimeout time.Duration `json:"idleTimeout"` // at the creation; NoTimeout: none
	Lifetime    time.Duration `json:"lifetime"`    // NoTimeout: none
	OnTimeout   TimeoutAction `json:"onTimeout"`
	Enforcers   []string      `json:"enforcers"` // see Spec
}

// State is a sandbox's state as the engine sees it.
type State string

const (
	StateCreating State = "creating"
	StateRunning  State = "running"
	StatePaused   State = "paused"
	StateStopped  State = "stopped" // ended, and not removed yet
)

// Filter selects sandboxes for [Adapter.List]. Its zero value selects those
// of no root at all: Root is required unless AllRoots is set.
type Filter struct {
	Root     string
	AllRoots bool
	Metadata map[string]string // all pairs must match exactly
	States   []State           // nil selects every state
}

// ValidID reports whether id can name a sandbox: 1 to 32 lower-case letters
// and digits. E2B's host names split at '-', so an id has none.
func ValidID(id string) bool {
	if len(id) == 0 || len(id) > 32 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// ValidName reports whether name can be given to a sandbox by people: 1 to 63
// lower-case letters, digits, '-' and '_', of which the first is a letter or a
// digit.
func ValidName(name string) bool {
	if len(name) == 0 || len(name) > 63 || name[0] == '-' || name[0] == '_' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
