// Package environ makes the environment of a command: what the image brought,
// who runs it, what the sandbox was given, what E2B promises, and what the
// request adds, the later winning.
package environ

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/quixand/quixand/internal/agent/identity"
)

// DefaultPath is for images that set no PATH.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// private are variables of the agent's own process that mean nothing, or
// something wrong, to a command.
var private = []string{
	"HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "SHLVL", "_", "TERM", "HOSTNAME", "container",
	"GOMEMLIMIT", "GOGC", "GOMAXPROCS", "GODEBUG", "GOTRACEBACK",
}

// Environment is a sandbox's environment. It is safe for concurrent use.
type Environment struct {
	base     map[string]string
	reserved map[string]string
	global   atomic.Pointer[map[string]string]
}

// New returns the environment of the sandbox with the given id. inherited is
// the agent's own environment, as the image and the engine set it.
func New(id string, inherited []string) *Environment {
	e := &Environment{
		base:     map[string]string{"PATH": DefaultPath},
		reserved: map[string]string{"E2B_SANDBOX": "true", "E2B_SANDBOX_ID": id},
	}
	for _, kv := range inherited {
		if name, value, ok := strings.Cut(kv, "="); ok && !slices.Contains(private, name) {
			e.base[name] = value
		}
	}
	e.global.Store(&map[string]string{})
	return e
}

// SetGlobal replaces the variables that every command gets.
func (e *Environment) SetGlobal(vars map[string]string) error {
	if err := check(vars); err != nil {
		return err
	}
	vars = maps.Clone(vars)
	e.global.Store(&vars)
	return nil
}

// Global returns the variables that every command gets, E2B's included.
func (e *Environment) Global() map[string]string {
	all := maps.Clone(*e.global.Load())
	if all == nil {
		all = make(map[string]string)
	}
	maps.Copy(all, e.reserved)
	return all
}

// For returns the environment of one command of a user.
func (e *Environment) For(u identity.User, request map[string]string) (Vars, error) {
	if err := check(request); err != nil {
		return nil, err
	}
	vars := maps.Clone(e.base)
	vars["HOME"] = u.Home
	vars["USER"] = u.Name
	vars["LOGNAME"] = u.Name
	vars["SHELL"] = u.Shell
	maps.Copy(vars, *e.global.Load())
	maps.Copy(vars, e.reserved)
	maps.Copy(vars, request)
	return vars, nil
}

// Vars is the environment of one command.
type Vars map[string]string

// List returns the variables as execve takes them.
func (v Vars) List() []string {
	list := make([]string, 0, len(v))
	for name, value := range v {
		list = append(list, name+"="+value)
	}
	return list
}

func check(vars map[string]string) error {
	for name, value := range vars {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.IndexByte(value, 0) >= 0 {
			return fmt.Errorf("environment variable %q has a name or value that no process can have", name)
		}
	}
	return nil
}
