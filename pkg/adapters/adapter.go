// Package adapters is the seam between Quixand and the engines that run
// sandboxes: the [Adapter] interface, the types that cross it, the kinds of
// error it speaks, and the registry of the adapters that a program has linked.
//
// It holds no engine and no logic that an engine could share: an adapter is
// as small as the common ground of all engines, and what only some of them can
// do is an optional interface beside it ([Dialer], [Events], ...) that callers
// assert. Users do not call this package; they import pkg/quixand, and link an
// adapter for its side effect:
//
//	import _ "github.com/quixand/quixand/pkg/adapters/podman"
package adapters

import (
	"context"
	"net"
	"net/http"
	"time"
)

// AgentPort is the port at which every sandbox's agent is reached through
// [Adapter.Transport], whatever carries it. The number is E2B's.
const AgentPort = 49983

// Adapter drives one engine. Implementations are safe for concurrent use.
//
// Callers guarantee that ids are well formed ([ValidID]), that specs are
// complete ([Spec] says which fields are never zero) and that contexts are not
// nil. Errors are [*Error] values, so that errors.Is finds their kind.
type Adapter interface {
	// Create starts a sandbox and returns once its agent answers. It is one
	// step to its caller: after an error, or when ctx ends, nothing of the
	// sandbox is left. ctx bounds the creation, not the sandbox's life.
	// A spec that asks for what the engine cannot enforce is refused with
	// ErrUnsupported before anything is made; a taken ID or Name is ErrExists,
	// and a Name is ErrUnsupported where the adapter is no [Renamer], as are
	// Snapshot and Fork where it is no [Snapshotter].
	Create(ctx context.Context, spec *Spec) (*Info, error)

	// Get describes one sandbox, or fails with ErrNotFound. A container of
	// another tool, or of another Quixand root, is not found.
	Get(ctx context.Context, id string) (*Info, error)

	// List describes the sandboxes that the filter selects, newest first.
	List(ctx context.Context, filter Filter) ([]*Info, error)

	// Kill ends the sandbox at once and removes everything that belongs to
	// it. An unknown id is ErrNotFound; callers for whom a repeat is
	// harmless ignore that.
	Kill(ctx context.Context, id string, opts KillOptions) error

	// SetDeadline gives the sandbox a new idle timeout that starts now.
	// Zero keeps the present one and starts it anew.
	SetDeadline(ctx context.Context, id string, idle time.Duration) error

	// Transport reaches the HTTP service at a port inside the sandbox;
	// AgentPort is the agent's. It does not ask the engine when the data
	// plane alone can tell, so an unknown id may fail only at the first
	// request. Whoever gets a Transport may keep it: it holds no more than
	// idle connections, which its CloseIdleConnections method, if it has
	// one, gives back.
	Transport(ctx context.Context, id string, port int) (http.RoundTripper, error)

	// Close releases what the adapter holds: connections, watches. Sandboxes
	// live on. Other methods must not be called after it.
	Close() error
}

// Dialer is implemented by adapters that can give a raw byte stream to a TCP
// port inside a sandbox. The port needs no published host port. A port that
// nobody listens on is ErrUnavailable.
type Dialer interface {
	DialPort(ctx context.Context, id string, port int) (net.Conn, error)
}

// Resolver is implemented by adapters that can tell without asking the engine
// which sandbox an id or a name means. A whole id wins over a name, and a name
// over an id's prefix. ok is false when only the engine can tell, as of every
// prefix: some sandbox may have lost what the adapter knows it by.
type Resolver interface {
	Resolve(ref string) (id string, ok bool, err error)
}

// Pauser is implemented by adapters that can stop every process of a sandbox
// where it is, and let it go on later. A paused sandbox's agent does not answer.
// Pausing a paused sandbox, and resuming a running one, is ErrConflict; a host
// that cannot freeze processes makes Pause ErrUnsupported.
type Pauser interface {
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
}

// Renamer is implemented by adapters whose sandboxes can have names that people
// give them: one in Spec.Name, or another later. An empty name takes it away. A
// name that another sandbox of the root has, or that is another's id, is
// ErrExists.
type Renamer interface {
	Rename(ctx context.Context, id, name string) error
}

// Snapshotter is implemented by adapters that can keep a sandbox's file system,
// and create sandboxes from what was kept (Spec.Snapshot) or from another
// sandbox's (Spec.Fork). Memory, processes and the environment are not kept.
// Snapshots are the Quixand root's, and live until they are removed; what a fork
// is made from goes with the fork.
type Snapshotter interface {
	// Snapshot keeps the file system of a sandbox, running or paused, under a
	// name ([ValidName]); a taken one is ErrExists. A running sandbox stands
	// still meanwhile where the host can freeze it, so that what is kept is
	// the file system of one moment.
	Snapshot(ctx context.Context, id, name string) (*Snapshot, error)

	// Snapshots lists the root's snapshots, newest first.
	Snapshots(ctx context.Context) ([]*Snapshot, error)

	// RemoveSnapshot removes one. An unknown name is ErrNotFound, and one that
	// sandboxes have been created from and still use is ErrConflict.
	RemoveSnapshot(ctx context.Context, name string) error
}

// Hosted is implemented by adapters of servers that look after their sandboxes
// themselves: they keep the timeouts, and start what templates want started, so
// that callers do neither.
type Hosted interface {
	// DefaultImage is what a sandbox starts from for which the user has named
	// nothing.
	DefaultImage() string
}

// Pruner is implemented by adapters that keep something for sandboxes which
// [Adapter.List] does not find once both the sandbox and all files about it are
// gone. Prune removes it and tells what it was.
type Pruner interface {
	Prune(ctx context.Context) (removed []string, err error)
}

// StatsReader is implemented by adapters whose engine measures sandboxes from
// outside.
type StatsReader interface {
	Stats(ctx context.Context, id string) (*Stats, error)
}

// Stats is what an engine measures. What it cannot tell is negative.
type Stats struct {
	MemoryBytes int64 // caches aside
	DiskBytes   int64 // written by the sandbox, its image aside
}

// Checker is implemented by adapters that can examine their engine and the
// host for `qs doctor`. It reports everything it finds, in order of
// dependence, and does not stop at the first failure.
type Checker interface {
	Check(ctx context.Context) []Check
}

// Check is one finding of a [Checker].
type Check struct {
	Name   string      `json:"name"`   // "engine", "subuid", ...
	Status CheckStatus `json:"status"` // CheckOK, CheckWarn or CheckFail
	Detail string      `json:"detail"` // what was found
	Cure   string      `json:"cure,omitempty"`
}

// CheckStatus says whether a [Check] stands in the way of a sandbox.
type CheckStatus string

// A warning limits what sandboxes can ask for; a failure prevents them.
const (
	CheckOK   CheckStatus = "ok"
	CheckWarn CheckStatus = "warn"
	CheckFail CheckStatus = "fail"
)
