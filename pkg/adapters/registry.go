package adapters

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// Config is what an adapter is opened with. Fields that an adapter has no use
// for are ignored.
type Config struct {
	Root    string       // never empty; absolute path of the Quixand root
	Runtime string       // the engine's OCI runtime, or empty for its default
	Image   string       // the user's default image, for a Checker to look at, or empty
	Logger  hclog.Logger // never nil
}

// Factory opens an adapter. It must be cheap: an engine is first spoken to
// when a method needs it.
type Factory func(Config) (Adapter, error)

// Registry maps names to factories. The zero value is ready to use, and a
// Registry is safe for concurrent use.
type Registry struct {
	mu        sync.RWMutex
	factories map[string]Factory
	probers   map[string]Prober
}

// Default is the registry to which adapters add themselves when they are
// imported, as database/sql's drivers do.
var Default = new(Registry)

// aliases are names that other tools use for the same adapters.
var aliases = map[string]string{
	"local-podman": "podman",
	"local-docker": "docker",
	"remote-http":  "remote",
}

// Register adds a factory. It panics when the name is taken.
func (r *Registry) Register(name string, f Factory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, dup := r.factories[name]; dup {
		panic("adapters: Register called twice for " + name)
	}
	if r.factories == nil {
		r.factories = make(map[string]Factory)
	}
	r.factories[name] = f
}

// Open opens the named adapter. For an unknown name the error lists the
// names there are and names the import to add.
func (r *Registry) Open(name string, cfg Config) (Adapter, error) {
	if proper, ok := aliases[name]; ok {
		name = proper
	}
	r.mu.RLock()
	f, ok := r.factories[name]
	r.mu.RUnlock()
	if !ok {
		return nil, r.unknown(name)
	}
	return f(cfg)
}

// Names lists the registered names in order.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.factories))
}

func (r *Registry) unknown(name string) error {
	e := &Error{Op: "open adapter", Kind: ErrInvalid}
	switch names := r.Names(); {
	case name == "podman" || name == "docker" || name == "remote" || name == "chutes":
		e.Err = fmt.Errorf("adapter %q is not linked into this program", name)
		e.Hint = fmt.Sprintf("add: import _ %q", "github.com/quixand/quixand/pkg/adapters/"+name)
	default:
		e.Err = fmt.Errorf("unknown adapter %q", name)
		e.Hint = "known here: " + strings.Join(names, ", ")
	}
	return e
}
