// Package agentapi names what the agent serves beside E2B's protocol: the
// paths, headers and JSON bodies of /quixand/v1, and the files at which host
// and sandbox meet. It is the contract between internal/agent and
// internal/agentclient and holds no code of either.
package agentapi

import "time"

// Where things are inside a sandbox.
const (
	// BinaryPath is the agent itself, a read-only bind mount.
	BinaryPath = "/run/quixand/qs-agent"
	// SocketDir is the directory shared with the host. Only root inside may
	// enter it.
	SocketDir = "/run/quixand/sock"
	// SocketName appears in SocketDir, by rename, when the agent accepts
	// connections: its appearance is the sign of readiness.
	SocketName = "agent.sock"

	// SudoPath is the agent itself once more, in sandboxes that have sudo. No
	// distribution's packages put anything there.
	SudoPath = "/usr/local/bin/sudo"

	// VerbEmpty makes the agent's program empty a directory, in place of being
	// an agent.
	VerbEmpty = "empty"

	// ExitDeadline is the agent's exit code at the end of its time, as
	// timeout(1) has it.
	ExitDeadline = 124
	// Threads is how many threads an agent may have. They are processes to the
	// kernel, and a limit of processes has to leave room for them.
	Threads = 32

	DefaultWorkdir = "/workspace"
	DefaultUser    = "user"
	DefaultUID     = 1000
)

// Paths of our own. E2B's are /health, /metrics, /envs, /init, /files and
// the Connect services.
const (
	// PathStatus, GET: Status.
	PathStatus = "/quixand/v1/status"
	// PathTimeout, POST TimeoutRequest: Status. A new idle timeout, from now.
	PathTimeout = "/quixand/v1/timeout"
	// PathExpire, POST: Status. The sandbox ends now if it has been idle for its
	// timeout, which Status.Expired tells. It is no activity.
	PathExpire = "/quixand/v1/expire"
	// PathKeep, GET: 200 at once, then nothing until somebody leaves. Until
	// then the sandbox is not idle.
	PathKeep = "/quixand/v1/keep"
	// PathUsage, GET: Usage. It is no activity.
	PathUsage = "/quixand/v1/usage"
	// PathLabels, POST LabelsRequest: Status. Changes labels, or none of them.
	PathLabels = "/quixand/v1/labels"
	// PathTunnel, GET ?port=N with "Connection: Upgrade" and
	// "Upgrade: TunnelProtocol": 101, then the raw bytes of a TCP connection
	// to 127.0.0.1:N (or [::1]:N) inside. Each side may close its half. 502
	// when nobody listens there.
	PathTunnel = "/quixand/v1/tunnel"
	// PathArchive, GET ?path=P&username=U: a tar stream of the file or
	// directory P, names relative to P's parent. PUT: unpacks a tar stream
	// into the directory P, which is created; what is created belongs to the
	// user; entries never leave P.
	PathArchive = "/quixand/v1/archive"

	// PathLife, GET: 200 at once, then nothing until the agent ends. It is no
	// activity: whoever waits here learns of the sandbox's end without
	// putting it off.
	PathLife = "/quixand/v1/life"

	// PathLease, GET: 200 at once, then nothing until the agent ends. An agent
	// that was started with --lease ends when nobody has held this for a few
	// seconds, whatever else goes on. It is no activity either.
	PathLease = "/quixand/v1/lease"

	TunnelProtocol = "quixand-tunnel"
)

// Headers that extend E2B's calls.
const (
	// HeaderOnDisconnect on process.Process/Start: "kill" makes the agent
	// kill the process group when the stream breaks before the end event.
	// Without it a process survives its client, as E2B's do. "linger" lets LingerFor
	// pass before that, in which a process.Process/Connect with the same header
	// may take the stream's place; output waits for it.
	HeaderOnDisconnect = "Quixand-On-Disconnect"
	OnDisconnectKill   = "kill"
	OnDisconnectLinger = "linger"
	LingerFor          = 5 * time.Second

	// HeaderOffset on process.Process/Connect: replay from this byte. The
	// offset counts output bytes of all streams of the process together, in
	// the order of the data events. The response's header of the same name
	// says where the replay really begins: more than was asked for means that
	// the bytes between fell out of the buffer. Without the header only new
	// output is sent, as E2B does, and the response's header says where that
	// begins; "0" asks for everything that is left.
	HeaderOffset = "Quixand-Offset"

	// HeaderFileMode on POST /files: octal permission bits of the file, kept
	// exactly whatever the umask. Without it a new file has 0644 and an
	// existing one keeps its own.
	HeaderFileMode = "Quixand-File-Mode"

	// HeaderFileTime on POST /files: the file's modification time, as RFC 3339
	// with nanoseconds. Without it the time is now.
	HeaderFileTime = "Quixand-File-Time"

	// HeaderEntry on the answer to POST /files of an octet stream: the
	// filesystem.EntryInfo of the file, in protobuf's binary form and
	// base64.RawURLEncoding. It saves the client a Stat.
	HeaderEntry = "Quixand-Entry"

	// HeaderParents on filesystem.Filesystem/MakeDir: "no" makes a missing
	// parent not_found. HeaderRecursive on Remove: "no" makes a missing path
	// not_found and a directory that is not empty failed_precondition. E2B's
	// calls create parents and remove whole trees; so do agents that do not
	// know these headers.
	HeaderParents   = "Quixand-Parents"
	HeaderRecursive = "Quixand-Recursive"
	No              = "no"
)

// Status describes the agent and its sandbox's time. The host reads it as
// untrusted input.
type Status struct {
	Version string `json:"version"` // of the agent
	ID      string `json:"id"`
	User    string `json:"user"` // default user
	Home    string `json:"home"`
	Workdir string `json:"workdir"`

	Created     time.Time `json:"created"`
	LastActive  time.Time `json:"lastActive"`
	InFlight    int       `json:"inFlight"`          // requests and processes that count as activity now
	IdleTimeout Duration  `json:"idleTimeoutMs"`     // negative: none
	Deadline    time.Time `json:"deadline,omitzero"` // when idle from now on; zero: none
	Lifetime    time.Time `json:"lifetime,omitzero"` // absolute end; zero: none
	Processes   int       `json:"processes"`         // running, started through the agent

	Labels map[string]string `json:"labels,omitempty"`

	// Age and IdleFor are measured on the monotonic clock: the times above
	// are wrong after a jump of the wall clock.
	Age       Duration `json:"ageMs"`
	IdleFor   Duration `json:"idleForMs"`       // zero while anything is in flight; of a fixed timeout, how much is over
	Fixed     bool     `json:"fixed,omitempty"` // no activity puts the deadline off
	Expired   bool     `json:"expired,omitempty"`
	Enforcers []string `json:"enforcers,omitempty"` // who ends the sandbox when its time is up
	OnTimeout string   `json:"onTimeout,omitempty"`
}

const (
	// EnforcerAgent among the enforcers makes the agent end its sandbox.
	EnforcerAgent = "agent"
	// OnTimeoutPause leaves an idle sandbox for the host to pause.
	OnTimeoutPause = "pause"
)

// Usage is what the sandbox uses, as its agent sees it. Sizes are in bytes.
type Usage struct {
	CPUCount    int     `json:"cpuCount"`   // that can be used at once
	CPUPercent  float64 `json:"cpuPercent"` // of one CPU, since somebody asked last
	MemoryUsed  int64   `json:"memoryUsed"` // caches aside
	MemoryTotal int64   `json:"memoryTotal"`
	MemoryCache int64   `json:"memoryCache"`
	DiskUsed    int64   `json:"diskUsed"` // negative: only the host can tell
	DiskTotal   int64   `json:"diskTotal"`
	Processes   int     `json:"processes"` // of all that run
}

// LabelsRequest is the body of PathLabels. What is both set and removed is set.
type LabelsRequest struct {
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty"`
}

// TimeoutRequest is the body of PathTimeout. Zero restarts the present timeout.
type TimeoutRequest struct {
	IdleTimeout Duration `json:"idleTimeoutMs"`
}
