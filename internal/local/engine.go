package local

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/netip"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// Engine is what an engine on this machine must be able to do. Its errors are
// [*adapters.Error] values that have a kind and keep the engine's own inside; one
// for which no answer of the engine's came has a [NoAnswer] in it. Containers
// are named by the engine's ids, sandboxes by ours. The engine is first spoken
// to when a method needs it, and may come and go.
type Engine interface {
	// Facts are what a specification depends on. They cost no more than a
	// connection, unless they are to be certain: then, before something is
	// refused, the engine itself is asked. It fails where no sandbox of this
	// engine could be trusted.
	Facts(ctx context.Context, certain bool) (*Facts, error)

	// Create makes a container and returns its id, also together with an error
	// where there is one all the same. It is ErrNotFound when the image is not
	// there; it is never fetched.
	Create(ctx context.Context, c *Spec) (id string, err error)
	// Start starts a container's first process.
	Start(ctx context.Context, id string) error
	// Wait returns the exit code once a container has ended. It also works for a
	// while after the removal, or else is ErrNotFound.
	Wait(ctx context.Context, id string) (exit int, err error)
	// Remove ends a container without grace, whatever state the engine believes
	// it to be in, and removes it with all it has. That somebody else has done so
	// is no error. Of c only ID and State need to be known. In [StateCreating] it
	// may have been started all the same.
	Remove(ctx context.Context, c *Container) error
	// List lists the containers that have all the labels: name and value with =
	// between, or a name for any value.
	List(ctx context.Context, labels ...string) ([]Container, error)
	Pause(ctx context.Context, id string) error
	Unpause(ctx context.Context, id string) error
	Rename(ctx context.Context, id, name string) error
	// Stats measures a running container.
	Stats(ctx context.Context, id string) (*adapters.Stats, error)
	// OutOfMemory reports whether the kernel has killed a container's first
	// process for want of memory.
	OutOfMemory(ctx context.Context, id string) (bool, error)
	// LastWords returns the end of what the agent has written to its container's
	// log, on one line, or nothing. log is Spec.Log; id is empty for a container
	// that is gone.
	LastWords(ctx context.Context, id, log string) string

	// Events tells what has happened to containers that have a label since a
	// time, in order, and goes on with what happens from now on if it is to
	// follow. It ends after an error; when an answer that should go on has ended,
	// that is a [NoAnswer].
	Events(ctx context.Context, since time.Time, follow bool, label string) iter.Seq2[Event, error]

	// Pull fetches an image with the credentials that the user has given the
	// engine's own tools, and passes the engine's words on by the line.
	Pull(ctx context.Context, image string, policy adapters.PullPolicy, say func(line string)) error
	// Commit makes an image of a container's file system. A running container is
	// frozen meanwhile if it is to pause; ErrUnsupported says that it cannot be.
	Commit(ctx context.Context, id, repo, tag string, pause bool) error
	// Image describes one image; ErrNotFound says that it is not there.
	Image(ctx context.Context, name string) (*adapters.Image, error)
	// ImagesOf lists the images of a repository, whatever their tags.
	ImagesOf(ctx context.Context, repo string) ([]*adapters.Image, error)
	// RemoveImage removes a name, and the image with its last one. One that a
	// container uses is ErrConflict, unless by force.
	RemoveImage(ctx context.Context, name string, force bool) error

	// Check examines the engine, and what it needs of the host.
	Check(ctx context.Context) []adapters.Check
	// Close releases connections.
	Close()
}

// The following interfaces are for what only some engines can or have to do.
type (
	// Killer is an engine that knows a better way to end and remove a sandbox's
	// container than Remove, or that has processes of its own which outlive that
	// for a moment. settle, called once and later, gives back what Kill holds; it
	// waits for those processes until ctx ends if it is told to. Where nobody will
	// wait, Kill may let them step back.
	Killer interface {
		Kill(ctx context.Context, c *Container, wait bool) (settle func(ctx context.Context, wait bool), err error)
	}
	// Forgetter is an engine that can have forgotten a container and still hold
	// parts of it.
	Forgetter interface {
		RemoveForgotten(ctx context.Context, container string) error
	}
	// Sweeper is an engine of which more can be left behind than sandboxes, such
	// as of builds whose client died. It is asked to remove that after each list.
	Sweeper interface {
		Sweep(ctx context.Context)
	}
	// Mender is an engine that can give a running container the shared directory
	// back that was lost on the host. made says that dir was made just now; else
	// it may be the one that the container has, where a signal is enough. agent
	// is the agent's binary, which can mount (package rebind). The caller waits
	// for the socket.
	Mender interface {
		Mend(ctx context.Context, c *Container, dir, agent string, made bool) error
	}
	// Cleaner is an engine that can remove what only the root of its containers'
	// user namespace can: a directory in which a dead sandbox has closed others.
	Cleaner interface {
		RemoveTree(ctx context.Context, dir string) error
	}
	// Explainer is an engine that can say more about a container that died
	// before its agent was ready.
	Explainer interface {
		Explain(ctx context.Context, death error) error
	}
	// MemoryCounter is an engine whose containers are in a group that the kernel
	// counts kills for want of memory for. The count outlives the containers. It
	// is false where nobody counts.
	MemoryCounter interface {
		MemoryKills() (int64, bool)
	}
	// Streamer is an engine that can lead to an agent whose directory is not shared
	// with this host. Streams is false for sandboxes that have their directory
	// here, or that are not there yet. The connection has a CloseWrite method;
	// Stream returns when the agent answers, however soon it is made. End is what
	// the agent has left in its directory, of a container that has ended.
	Streamer interface {
		Streams(ctx context.Context, id string) (bool, error)
		Stream(ctx context.Context, id string) (net.Conn, error)
		End(ctx context.Context, container string) (*agentapi.End, error)
	}
)

// Facts are what a specification depends on beside the caller's wishes.
type Facts struct {
	Controllers []string // cgroup controllers that can be used
	Freezer     bool     // processes can be frozen
	// Addresses are those of the host, out of a sandbox's reach from its start.
	Addresses []netip.Addr
	// Shared says that a directory of this host's can be mounted in a container.
	// Otherwise the engine is a [Streamer].
	Shared bool
	// Forgets says that the engine cannot tell how a container has ended once it
	// has removed it, so that it has to be asked at once.
	Forgets bool
	// LimitHint says what to do about a controller that is not there.
	LimitHint string
	// AgentArgs are further arguments of the agent's.
	AgentArgs []string
}

// Spec is a container of a sandbox's. What it does not say is the same for all,
// and left neither to the image nor to the engine's configuration:
//
//   - the agent, the only program that the engine starts, runs as root of the
//     container, in /, with umask 022 and the image's environment, without a
//     terminal or standard input;
//   - namespaces of its own, no privileges but Capabilities and no way to new
//     ones (no-new-privileges), under the engine's seccomp profile;
//   - no volumes, health checks or host's /etc/hosts of the image's or the engine's;
//   - it vanishes when the agent ends, or stays for what the agent has left in it
//     where nothing is shared; it is never started anew, and has two seconds to end
//     when somebody stops it by means of the engine.
type Spec struct {
	Name, Hostname string
	Labels         map[string]string
	Image          string
	ImageGoes      bool // the image is this container's alone, and goes with it
	Entrypoint     string
	Args           []string
	Capabilities   []string
	Agent          string // path of the agent's binary on this host; Entrypoint is it inside
	Sudo           string // where the agent's binary is inside once more; empty: nowhere
	Relabel        bool   // the agent's file may be given another SELinux label
	Dir            string // directory to share; empty where nothing can be shared
	DirInside      string
	Log            string // file for the engine to log to if it can
	LogBytes       int64  // bound of the log
	Network        adapters.Network
	Ports          []adapters.PortMapping // on the host's loopback, TCP
	Resources      adapters.Resources     // to be enforced as they are; zero is no limit
}

// Container is what an engine tells of a container in a list.
type Container struct {
	ID     string
	Name   string // the container's, as Spec has it
	Labels map[string]string
	State  adapters.State
	Pid    int // of its first process, as this host sees it; zero: not known
	Ports  []adapters.PortMapping

	// Ended says that its first process has ended. The end has no time where the
	// engine does not know of it, and will not remove the container by itself.
	Ended    bool
	EndedAt  time.Time
	ExitCode int
	Stays    bool // for others to remove it when it has ended, though its end is known
}

// Event is what an engine tells of a container's life.
type Event struct {
	// Type is EventCreated, EventStarted, EventPaused, EventResumed, EventDied,
	// EventRemoved, EventKilled when the engine was told to kill or stop it, or
	// EventMemory.
	Type     adapters.EventType
	Time     time.Time
	Name     string // the container's
	Labels   map[string]string
	ExitCode *int // of EventDied
}

// NoAnswer marks an error that the engine did not answer, but that kept its
// answer from coming: what was asked for may have happened.
type NoAnswer struct{ Err error }

func (e *NoAnswer) Error() string { return e.Err.Error() }

// Unwrap gives errors.Is the cause.
func (e *NoAnswer) Unwrap() error { return e.Err }

// Unanswered reports whether an error kept the engine's answer from coming.
func Unanswered(err error) bool {
	_, ok := errors.AsType[*NoAnswer](err)
	return ok
}
