package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/containers/podman/v5/pkg/errorhandling"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

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

// rules say what the engine's messages mean: most have the status 500. They are
// tried in order.
var rules = slices.Concat([]local.Rule{
	// resources
	local.Means(adapters.ErrExhausted, hintDisk, "database or disk is full"),
	// Every container has a session keyring, and a user has 200 keys.
	local.Means(adapters.ErrExhausted, hintKeys, "join keyctl", "disk quota exceeded"),
	local.Means(adapters.ErrExhausted, "remove containers, or raise num_locks in containers.conf and run: podman system renumber", "exceeded num_locks"),
	local.Means(adapters.ErrExhausted, "raise the limit of open files: ulimit -n", "too many open files"),

	// ids
	local.Means(adapters.ErrUnavailable, "install newuidmap and newgidmap: dnf install shadow-utils, or apt install uidmap", "newuidmap", "not found"),
	local.Means(adapters.ErrUnavailable, hintSubID, "no subuid ranges found"),
	local.Means(adapters.ErrUnavailable, hintSubID, "no subgid ranges found"),
	local.Means(adapters.ErrUnavailable, hintSubID, "not enough ids available"),
	local.Means(adapters.ErrUnavailable, hintSubID, "insufficient uids or gids available in user namespace"),
	local.Means(adapters.ErrUnavailable, hintSubID, "cannot set up namespace"),

	// limits
	local.Means(adapters.ErrUnsupported, hintLimit, "controller", "is not available"),
	local.Means(adapters.ErrUnsupported, hintLimit, "memory.max", "no such file"),
	local.Means(adapters.ErrUnsupported, hintLimit, "memory.swap.max", "no such file"),
	local.Means(adapters.ErrUnsupported, hintLimit, "cpu.max", "no such file"),
	local.Means(adapters.ErrUnsupported, hintLimit, "pids.max", "no such file"),

	// pausing
	local.Means(adapters.ErrConflict, "", "is already paused"),
	local.Means(adapters.ErrConflict, "", "is not running, can't pause"),
	local.Means(adapters.ErrUnsupported, hintFreezer, "can not pause containers on rootless containers with cgroup v1"),
	local.Means(adapters.ErrUnsupported, hintFreezer, "cannot pause without using cgroups"),

	// programs that the engine runs
	local.Means(adapters.ErrUnavailable, "install pasta: dnf install passt, or apt install passt; or create the sandbox with network none", "could not find pasta"),
	local.Means(adapters.ErrUnavailable, "install slirp4netns; or create the sandbox with network none", "slirp4netns", "not find"),
	local.Means(adapters.ErrUnavailable, "install crun: dnf install crun, or apt install crun", "default oci runtime", "not found"),
	local.Means(adapters.ErrUnavailable, "install crun: dnf install crun, or apt install crun", "no oci runtime"),
	local.Means(adapters.ErrUnavailable, "install conmon: dnf install conmon, or apt install conmon", "conmon", "not find"),

	// names and ports
	local.Means(adapters.ErrConflict, hintPort, "address already in use"),
	local.Means(adapters.ErrConflict, hintPort, "failed to bind port"),

	// images and registries
	local.Means(adapters.ErrNotFound, hintImage, "image not known"),
	local.Means(adapters.ErrNotFound, "write the image's name with its registry, such as docker.io/library/python:3.11-slim", "short-name"),
	local.Means(adapters.ErrPermission, hintLogin, "reading manifest", "denied"),
	local.Means(adapters.ErrPermission, hintLogin, "statuscode: 403"),
	local.Means(adapters.ErrPermission, hintLogin, "authentication required"),
	local.Means(adapters.ErrUnavailable, "the registry speaks plain HTTP: allow that with --insecure", "server gave http response to https client"),
}, local.CommonRules(Name), []local.Rule{
	local.Means(adapters.ErrUnavailable, "check the network and the registry's name", "pinging container registry"),
	local.Means(adapters.ErrConflict, "somebody has removed at this moment what the build was to go on from: build again", "layer not known"),
	local.Means(adapters.ErrInvalid, "give an archive that podman save or docker save has written", "payload does not match any of the supported image formats"),
	local.Means(adapters.ErrInvalid, "check the image's name", "invalid image name"),
	local.Means(adapters.ErrUnsupported, "use an agent and an image for this machine's architecture", "exec format error"),
	local.Means(adapters.ErrPermission, "", "permission denied"),
})

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
		e.Kind, e.Hint = r.Kind, r.Hint
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
		e.Kind, e.Hint = r.Kind, r.Hint
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
func judge(message string, status int) local.Rule {
	if r, ok := local.Judge(rules, message); ok {
		return r
	}
	if kind, ok := statuses[status]; ok {
		return local.Rule{Kind: kind}
	}
	return local.Rule{Kind: adapters.ErrInternal}
}

// diedMeanwhile recognizes how Podman 4 fails to kill a container that has died
// since it looked, and that its monitor has yet to reap. Podman 5 goes on; 4
// knows now that the container is stopped, and removes it when asked again.
func diedMeanwhile(err error) bool {
	answer, ok := errors.AsType[*errorhandling.ErrorModel](err)
	return ok && local.ContainsAll(answer.Message, []string{"could not be stopped", "container state improper"})
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
