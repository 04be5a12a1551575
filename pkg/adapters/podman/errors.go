package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/containers/podman/v5/pkg/errorhandling"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// rule says what one of the engine's messages means. The engine answers most
// failures with status 500 and words, whatever they are about, so the words
// are all there is to tell them apart.
type rule struct {
	words []string // all of them, in any case, in any order
	kind  error
	hint  string
}

// What to do, where several failures have the same cure.
const (
	hintSubID   = "give your user a range of ids: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER && podman system migrate"
	hintDisk    = "free some disk space: podman system df shows what the engine holds, podman image prune removes unused images"
	hintKeys    = "end other sandboxes, raise the kernel's limit: sudo sysctl kernel.keys.maxkeys=2000, or set keyring=false under [containers] in containers.conf"
	hintLimit   = "let systemd delegate the cgroup controllers to users, or create the sandbox without that limit: https://rootlesscontaine.rs/getting-started/common/cgroup2/"
	hintFreezer = "pausing needs cgroup v2, and an engine that uses it (cgroups, under [containers] in containers.conf)"
	hintImage   = "check the image's name, and fetch it with podman pull or with the pull policy missing"
	hintLogin   = "log in to the registry with podman login, and check the image's name"
	hintPort    = "choose another host port, or none to let the engine choose"
)

// rules are tried in order; the first match counts.
var rules = []rule{
	// resources
	{[]string{"no space left on device"}, adapters.ErrExhausted, hintDisk},
	{[]string{"database or disk is full"}, adapters.ErrExhausted, hintDisk},
	// Every container has a session keyring, and a user has 200 keys.
	{[]string{"join keyctl", "disk quota exceeded"}, adapters.ErrExhausted, hintKeys},
	{[]string{"disk quota exceeded"}, adapters.ErrExhausted, hintDisk},
	{[]string{"exceeded num_locks"}, adapters.ErrExhausted, "remove containers, or raise num_locks in containers.conf and run: podman system renumber"},
	{[]string{"too many open files"}, adapters.ErrExhausted, "raise the limit of open files: ulimit -n"},
	{[]string{"cannot allocate memory"}, adapters.ErrExhausted, ""},

	// ids
	{[]string{"newuidmap", "not found"}, adapters.ErrUnavailable, "install newuidmap and newgidmap: dnf install shadow-utils, or apt install uidmap"},
	{[]string{"no subuid ranges found"}, adapters.ErrUnavailable, hintSubID},
	{[]string{"no subgid ranges found"}, adapters.ErrUnavailable, hintSubID},
	{[]string{"not enough ids available"}, adapters.ErrUnavailable, hintSubID},
	{[]string{"insufficient uids or gids available in user namespace"}, adapters.ErrUnavailable, hintSubID},
	{[]string{"cannot set up namespace"}, adapters.ErrUnavailable, hintSubID},

	// limits
	{[]string{"controller", "is not available"}, adapters.ErrUnsupported, hintLimit},
	{[]string{"memory.max", "no such file"}, adapters.ErrUnsupported, hintLimit},
	{[]string{"memory.swap.max", "no such file"}, adapters.ErrUnsupported, hintLimit},
	{[]string{"cpu.max", "no such file"}, adapters.ErrUnsupported, hintLimit},
	{[]string{"pids.max", "no such file"}, adapters.ErrUnsupported, hintLimit},

	// pausing
	{[]string{"is already paused"}, adapters.ErrConflict, ""},
	{[]string{"is not paused"}, adapters.ErrConflict, ""},
	{[]string{"is not running, can't pause"}, adapters.ErrConflict, ""},
	{[]string{"can not pause containers on rootless containers with cgroup v1"}, adapters.ErrUnsupported, hintFreezer},
	{[]string{"cannot pause without using cgroups"}, adapters.ErrUnsupported, hintFreezer},

	// programs that the engine runs
	{[]string{"could not find pasta"}, adapters.ErrUnavailable, "install pasta: dnf install passt, or apt install passt; or create the sandbox with network none"},
	{[]string{"slirp4netns", "not find"}, adapters.ErrUnavailable, "install slirp4netns; or create the sandbox with network none"},
	{[]string{"default oci runtime", "not found"}, adapters.ErrUnavailable, "install crun: dnf install crun, or apt install crun"},
	{[]string{"no oci runtime"}, adapters.ErrUnavailable, "install crun: dnf install crun, or apt install crun"},
	{[]string{"conmon", "not find"}, adapters.ErrUnavailable, "install conmon: dnf install conmon, or apt install conmon"},

	// names and ports
	{[]string{"is already in use"}, adapters.ErrExists, ""},
	{[]string{"address already in use"}, adapters.ErrConflict, hintPort},
	{[]string{"failed to bind port"}, adapters.ErrConflict, hintPort},

	// images and registries
	{[]string{"no such image"}, adapters.ErrNotFound, hintImage},
	{[]string{"image not known"}, adapters.ErrNotFound, hintImage},
	{[]string{"short-name"}, adapters.ErrNotFound, "write the image's name with its registry, such as docker.io/library/python:3.11-slim"},
	{[]string{"unauthorized"}, adapters.ErrPermission, hintLogin},
	{[]string{"reading manifest", "denied"}, adapters.ErrPermission, hintLogin},
	{[]string{"statuscode: 403"}, adapters.ErrPermission, hintLogin},
	{[]string{"authentication required"}, adapters.ErrPermission, hintLogin},
	{[]string{"requested access to the resource is denied"}, adapters.ErrPermission, hintLogin},
	{[]string{"manifest unknown"}, adapters.ErrNotFound, "check the image's name and tag"},
	{[]string{"name unknown"}, adapters.ErrNotFound, "check the image's name and tag"},
	{[]string{"toomanyrequests"}, adapters.ErrExhausted, "the registry limits pulls: wait, or podman login"},
	{[]string{"server gave http response to https client"}, adapters.ErrUnavailable, "the registry speaks plain HTTP: allow that with --insecure"},
	{[]string{"pinging container registry"}, adapters.ErrUnavailable, "check the network and the registry's name"},
	{[]string{"layer not known"}, adapters.ErrConflict, "somebody has removed at this moment what the build was to go on from: build again"},
	{[]string{"payload does not match any of the supported image formats"}, adapters.ErrInvalid, "give an archive that podman save or docker save has written"},
	{[]string{"invalid image name"}, adapters.ErrInvalid, "check the image's name"},
	{[]string{"invalid reference format"}, adapters.ErrInvalid, "check the image's name"},

	{[]string{"no such container"}, adapters.ErrNotFound, ""},
	{[]string{"exec format error"}, adapters.ErrUnsupported, "use an agent and an image for this machine's architecture"},
	{[]string{"permission denied"}, adapters.ErrPermission, ""},
}

// statuses are what remains to be said where the words are unknown.
var statuses = map[int]error{
	http.StatusBadRequest: adapters.ErrInvalid,
	http.StatusNotFound:   adapters.ErrNotFound,
	http.StatusConflict:   adapters.ErrConflict,
}

// errNotPodman stands for an answer that is not worth quoting.
var errNotPodman = errors.New("the engine's answer makes no sense: is it Podman that listens there?")

// mapError gives every error of this adapter its kind, once, and keeps the
// engine's own inside.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	return mapped(err)
}

// mapped is mapError for what is an error for sure.
func mapped(err error) *adapters.Error {
	if mapped, ok := errors.AsType[*adapters.Error](err); ok {
		return stillUnanswered(mapped, err)
	}
	e := &adapters.Error{Adapter: Name, Kind: adapters.ErrInternal, Err: err}
	if answer, ok := errors.AsType[*errorhandling.ErrorModel](err); ok {
		r := judge(answer.Message, answer.ResponseCode)
		e.Kind, e.Hint = r.kind, r.hint
		return e
	}
	switch {
	case errors.Is(err, context.Canceled):
		e.Kind = nil
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind = adapters.ErrTimeout
	case isBroken(err):
		e.Kind = adapters.ErrUnavailable
	case isGarbage(err):
		e.Err = errNotPodman
	default: // words of a stream, of a program, or of the kernel
		r := judge(err.Error(), 0)
		e.Kind, e.Hint = r.kind, r.hint
	}
	return e
}

// stillUnanswered keeps what is around a mapped error from being lost, where it
// says that no answer came: that of an engine which cannot be dialled is mapped
// before the transport says so.
func stillUnanswered(mapped *adapters.Error, err error) *adapters.Error {
	if local.Unanswered(mapped) || !local.Unanswered(err) {
		return mapped
	}
	e := *mapped
	e.Err = &local.NoAnswer{Err: mapped.Err}
	return &e
}

// judge finds the rule for the engine's words, or makes one of its status.
func judge(message string, status int) rule {
	message = strings.ToLower(message)
	for _, r := range rules {
		if containsAll(message, r.words) {
			return r
		}
	}
	if kind, ok := statuses[status]; ok {
		return rule{kind: kind}
	}
	return rule{kind: adapters.ErrInternal}
}

// diedMeanwhile recognizes how Podman 4 fails to kill a container that has died
// since it looked, and that its monitor has yet to reap. Podman 5 goes on; 4
// knows now that the container is stopped, and removes it when asked again.
func diedMeanwhile(err error) bool {
	answer, ok := errors.AsType[*errorhandling.ErrorModel](err)
	return ok && containsAll(answer.Message, []string{"could not be stopped", "container state improper"})
}

func containsAll(s string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}

// isBroken tells an engine that went away, or that was never there, from one
// that answers.
func isBroken(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	if _, transport := errors.AsType[*local.NoAnswer](err); transport || network {
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF)
}

// isGarbage recognizes an answer that is not the API's. The bindings quote all
// of it.
func isGarbage(err error) bool {
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, mismatch := errors.AsType[*json.UnmarshalTypeError](err)
	return syntax || mismatch
}
