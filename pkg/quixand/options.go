package quixand

import (
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// Options describes the sandbox to create. Every zero value is useful.
type Options struct {
	// Template is what the sandbox starts from: a template's name, NAME:HASH for
	// a certain build of it, a directory to build (it begins with / or a dot),
	// or an image's reference. Empty is Config.Image.
	Template string
	// Snapshot names the snapshot that the sandbox starts from, in place of a
	// template. Its workdir and metadata are the sandbox's unless told otherwise.
	Snapshot string
	// Name is what people call the sandbox, beside its id: 1 to 63 lower-case
	// letters, digits, '-' and '_'. One that another sandbox of the Quixand root
	// has is ErrExists. Empty is none; [Sandbox.Rename] changes it.
	Name string
	// ID is the sandbox's id: 1 to 32 lower-case letters and digits that no other
	// sandbox has, or ErrExists. Empty is one of 100 random bits.
	ID string
	// Timeout is the idle timeout: zero is Config.Timeout, NoTimeout none.
	Timeout time.Duration
	// FixedTimeout has the Timeout end the sandbox whatever goes on in it, as
	// E2B's does: it counts from the creation, and from each RefreshTimeout.
	FixedTimeout bool
	// Lifetime is the absolute end, busy or not, counted from the creation;
	// zero or NoTimeout is none.
	Lifetime time.Duration
	// OnTimeout is TimeoutKill unless told. TimeoutPause freezes an idle sandbox
	// until [Sandbox.Resume]; its lifetime ends it all the same. The host has to
	// do that, so it is refused where Config.Enforcer leaves everything to the
	// agent, and where the host cannot freeze processes.
	OnTimeout TimeoutAction
	// Ephemeral makes the sandbox this Client's own: it is gone within ten
	// seconds of the end of this process, however that ends, or of
	// [Client.Close]. A process that is only stopped keeps it. Kill does not
	// wait for processes of the engine's that watched over it and are about
	// to end. The timeouts hold all the same.
	Ephemeral bool
	// Env is set for every command. It is kept in the sandbox alone, never
	// with the engine.
	Env map[string]string
	// Metadata is kept with the engine and returned in Info and List.
	Metadata map[string]string
	// Labels can be changed later, as metadata cannot, by [Sandbox.SetLabels].
	// They are kept in the sandbox: up to 64, with keys of up to 63 letters and
	// digits that have . _ / - between them, and values of up to 256 bytes.
	Labels map[string]string
	// User is the account that commands run as which name no other, by its name or
	// decimal uid in the image. Empty is user, uid 1000, which every sandbox has.
	// A user that is root has what [Cmd.User] gives one.
	User string
	// Sudo gives the sandbox a sudo that asks for no password: its code may run
	// commands as any of its users, root included. What root can do there is
	// little: it has the capabilities to install packages, and no others, and
	// no_new_privs holds. Forks, and what starts from snapshots, have it too.
	Sudo bool
	// Workdir is where commands start and relative paths begin; empty is
	// /workspace.
	Workdir string
	// Network is NetworkBridge unless told.
	Network Network
	// Publish asks the engine to publish TCP ports on the host's loopback
	// for as long as the sandbox lives. [Sandbox.Expose] needs no engine.
	Publish []PortMapping
	// Resources limits the sandbox. What the host cannot enforce is refused.
	Resources Resources
	// Pull is PullMissing unless told.
	Pull PullPolicy
	// Budgets bounds the phases of the creation; zero fields have defaults:
	// pull 15 min, create 30 s, start 30 s, ready 15 s. A template's start
	// command has the time of ready once more.
	Budgets Budgets
	// Progress, when set, is told about every phase.
	Progress func(Progress)
}

// What crosses the seam to the adapters is of the same types on both sides.
type (
	// Info is what the engine knows about a sandbox.
	Info = adapters.Info
	// State is a sandbox's state as the engine sees it.
	State = adapters.State
	// Network is what a sandbox can reach.
	Network = adapters.Network
	// PortMapping publishes a TCP port by the engine's own means.
	PortMapping = adapters.PortMapping
	// Resources limits a sandbox.
	Resources = adapters.Resources
	// PullPolicy says when an image is fetched from its registry.
	PullPolicy = adapters.PullPolicy
	// Budgets bounds each phase of a creation by itself.
	Budgets = adapters.Budgets
	// Progress is one report about a creation.
	Progress = adapters.Progress
	// Phase is a step of a creation.
	Phase = adapters.Phase
	// Snapshot is the file system of a sandbox at one moment.
	Snapshot = adapters.Snapshot
	// TimeoutAction is what happens to an idle sandbox.
	TimeoutAction = adapters.TimeoutAction
	// Event is one change in the life of a sandbox.
	Event = adapters.Event
	// Check is one finding about the engine and the host.
	Check = adapters.Check
)

// NoTimeout is a timeout that never fires.
const NoTimeout = adapters.NoTimeout

// See the type of each.
const (
	NetworkBridge = adapters.NetworkBridge
	NetworkNone   = adapters.NetworkNone
	PullMissing   = adapters.PullMissing
	PullAlways    = adapters.PullAlways
	PullNever     = adapters.PullNever
	TimeoutKill   = adapters.TimeoutKill
	TimeoutPause  = adapters.TimeoutPause
	StateRunning  = adapters.StateRunning
	StatePaused   = adapters.StatePaused
)
