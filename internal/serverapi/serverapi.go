// Package serverapi names what `qs serve` answers beside E2B's REST API: the
// paths, headers and JSON bodies of /quixand/v1 on the control plane; and, of E2B's
// own API, the names that both ends use. It is the contract between internal/server and pkg/adapters/remote and holds no code of
// either. Keys, limits and errors are those of E2B's calls; what E2B's API can
// say is asked there, and not here.
package serverapi

import (
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// Paths, of which {id} is a sandbox's.
const (
	// PathHello, GET: Hello. A server that does not know it is no Quixand.
	PathHello = "/quixand/v1/hello"
	// PathSandboxes, GET: a list of Sandbox, newest first. POST Spec: one Report
	// a line, of which the last has the Sandbox or the Error.
	PathSandboxes = "/quixand/v1/sandboxes"
	// PathSandbox, GET: Sandbox.
	PathSandbox = "/quixand/v1/sandboxes/{id}"
	// PathTimeout, POST TimeoutRequest: 204. Unlike E2B's it knows no timeout at
	// all, and fractions of seconds.
	PathTimeout = "/quixand/v1/sandboxes/{id}/timeout"
	// PathResume, POST: 204, or 409 for one that is not paused.
	PathResume = "/quixand/v1/sandboxes/{id}/resume"
	// PathName, POST NameRequest: 204.
	PathName = "/quixand/v1/sandboxes/{id}/name"
	// PathEnded, GET: adapters.Ended. With ?wait=1 the answer waits for the end,
	// for at most EndedWait: 204 is that it has not come.
	PathEnded = "/quixand/v1/sandboxes/{id}/ended"
	// PathAllEnded, GET: a list of adapters.Ended, latest end first.
	PathAllEnded = "/quixand/v1/ended"
	// PathEvents, GET ?since=RFC3339: one adapters.Event a line, for as long as
	// somebody listens. An empty line comes at least every Heartbeat.
	PathEvents = "/quixand/v1/events"
	// PathSnapshots, GET: a list of adapters.Snapshot, newest first.
	PathSnapshots = "/quixand/v1/snapshots"
)

const (
	// HeaderRoot names the Quixand root of the caller, by which the sandboxes of
	// one key are kept apart; see Space. Without it all those of the key are
	// meant.
	HeaderRoot = "Quixand-Root"
	// HeaderBy on DELETE /sandboxes/{id} says who kills it, in words.
	HeaderBy = "Quixand-By"
	// HeaderCall on POST PathSandboxes names one creation among the retries of it: a
	// sandbox that an earlier attempt has made is the answer to a later one.
	HeaderCall = "Quixand-Call"

	// HeaderHost on a request to a port of a sandbox is the Host that the service
	// there is to read, in place of the server's own.
	HeaderHost = "Quixand-Host"

	// HeaderPatient on a request of the data plane lets it wait for a paused
	// sandbox, where E2B's clients are told at once that it does not run.
	HeaderPatient = "Quixand-Patient"

	EndedWait = 30 * time.Second
	Heartbeat = 15 * time.Second

	// MaxBy and MaxCall bound these headers, in bytes.
	MaxBy   = 200
	MaxCall = 64
)

// Hello is how a server introduces itself.
type Hello struct {
	Version string `json:"version"`
	Image   string `json:"image"` // of a sandbox that names none
}

// Sandbox is what the engine tells of a sandbox, and what lets its caller in.
type Sandbox struct {
	adapters.Info
	AccessToken  string `json:"accessToken,omitempty"`
	TrafficToken string `json:"trafficToken,omitempty"`
}

// Spec is an adapters.Spec as far as a client may choose. Durations are in
// nanoseconds; negative ones are none.
type Spec struct {
	ID       string            `json:"id"`
	Name     string            `json:"name,omitempty"`
	Image    string            `json:"image"` // a template's name, or the server's own image
	Snapshot string            `json:"snapshot,omitempty"`
	Fork     string            `json:"fork,omitempty"`
	Workdir  string            `json:"workdir"`
	User     string            `json:"user,omitempty"`
	Sudo     bool              `json:"sudo,omitempty"`
	Env      map[string]string `json:"env,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`

	IdleTimeout  time.Duration          `json:"idleTimeout"`
	FixedTimeout bool                   `json:"fixedTimeout,omitempty"`
	Lifetime     time.Duration          `json:"lifetime"`
	OnTimeout    adapters.TimeoutAction `json:"onTimeout"`
	Ephemeral    bool                   `json:"ephemeral,omitempty"`

	Network   adapters.Network    `json:"network"`
	Resources adapters.Resources  `json:"resources"`
	Pull      adapters.PullPolicy `json:"pull"`
	Budgets   adapters.Budgets    `json:"budgets"`
}

// Report is one line about a creation. Exactly one field is set; the last line
// has one of the last two.
type Report struct {
	Progress *adapters.Progress `json:"progress,omitempty"`
	Sandbox  *Sandbox           `json:"sandbox,omitempty"`
	Error    *Error             `json:"error,omitempty"`
}

// Error is the body of an error. Code and Message are E2B's.
type Error struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Cause   string         `json:"cause,omitempty"`      // the message without what was attempted
	Kind    string         `json:"error_code,omitempty"` // one of the texts of adapters' kinds
	Hint    string         `json:"hint,omitempty"`
	Phase   adapters.Phase `json:"phase,omitempty"` // of a creation
}

// TimeoutRequest is the body of PathTimeout. Zero starts the present timeout anew.
type TimeoutRequest struct {
	IdleTimeout time.Duration `json:"idleTimeout"`
}

// NameRequest is the body of PathName.
type NameRequest struct {
	Name string `json:"name"`
}
