package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// What to do, where several failures have the same cure.
const (
	hintDisk  = "free some disk space: docker system df shows what the daemon holds, docker image prune removes unused images"
	hintLimit = "let the daemon's host have the cgroup controllers, or create the sandbox without that limit"
	hintImage = "check the image's name, and fetch it with docker pull or with the pull policy missing"
	hintLogin = "log in to the registry with docker login, and check the image's name"
)

// rule says what one of the daemon's messages means, where its status does not.
type rule struct {
	words []string // all of them, in any case
	kind  error
	hint  string
}

// rules are tried in order; the first match counts.
var rules = []rule{
	{[]string{"no space left on device"}, adapters.ErrExhausted, hintDisk},
	{[]string{"disk quota exceeded"}, adapters.ErrExhausted, hintDisk},
	{[]string{"too many open files"}, adapters.ErrExhausted, "raise the daemon's limit of open files"},
	{[]string{"cannot allocate memory"}, adapters.ErrExhausted, ""},
	{[]string{"could not find an available", "address pool"}, adapters.ErrExhausted, "remove networks that nobody uses: docker network prune"},

	{[]string{"is already in use"}, adapters.ErrExists, ""},
	{[]string{"is already paused"}, adapters.ErrConflict, "resume it with: qs resume ID"},
	{[]string{"is not paused"}, adapters.ErrConflict, ""},
	{[]string{"is not running"}, adapters.ErrConflict, ""},

	{[]string{"no such image"}, adapters.ErrNotFound, hintImage},
	{[]string{"manifest unknown"}, adapters.ErrNotFound, "check the image's name and tag"},
	{[]string{"repository does not exist"}, adapters.ErrNotFound, hintLogin},
	{[]string{"name unknown"}, adapters.ErrNotFound, "check the image's name and tag"},
	{[]string{"unauthorized"}, adapters.ErrPermission, hintLogin},
	{[]string{"requested access to the resource is denied"}, adapters.ErrPermission, hintLogin},
	{[]string{"toomanyrequests"}, adapters.ErrExhausted, "the registry limits pulls: wait, or docker login"},
	{[]string{"server misbehaving"}, adapters.ErrUnavailable, "check the network and the registry's name"},
	{[]string{"no such host"}, adapters.ErrUnavailable, "check the network and the registry's name"},
	{[]string{"connection refused"}, adapters.ErrUnavailable, "check the network and the registry's name"},
	{[]string{"invalid reference format"}, adapters.ErrInvalid, "check the image's name"},
	{[]string{"exec format error"}, adapters.ErrUnsupported, "use an agent and an image for the daemon's architecture"},
}

// kinds are the classes of the client's errors.
var kinds = []struct {
	is   func(error) bool
	kind error
}{
	{errdefs.IsNotFound, adapters.ErrNotFound},
	{errdefs.IsConflict, adapters.ErrConflict},
	{errdefs.IsAlreadyExists, adapters.ErrExists},
	{errdefs.IsInvalidArgument, adapters.ErrInvalid},
	{errdefs.IsPermissionDenied, adapters.ErrPermission},
	{errdefs.IsUnauthorized, adapters.ErrPermission},
	{errdefs.IsUnavailable, adapters.ErrUnavailable},
	{errdefs.IsNotImplemented, adapters.ErrUnsupported},
	{errdefs.IsResourceExhausted, adapters.ErrExhausted},
}

// mapError gives every error of this adapter its kind, once, and keeps the
// daemon's own inside.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	return mapped(err)
}

// mapped is mapError for what is an error for sure.
func mapped(err error) *adapters.Error {
	if mapped, ok := errors.AsType[*adapters.Error](err); ok {
		return mapped
	}
	e := &adapters.Error{Adapter: Name, Kind: adapters.ErrInternal, Err: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Kind, e.Err = nil, &local.NoAnswer{Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Err = adapters.ErrTimeout, &local.NoAnswer{Err: err}
	case isBroken(err):
		e.Kind, e.Err = adapters.ErrUnavailable, &local.NoAnswer{Err: err}
	default:
		r := judge(err)
		e.Kind, e.Hint = r.kind, r.hint
	}
	return e
}

// judge finds the rule for the daemon's words, or makes one of its status.
func judge(err error) rule {
	said := strings.ToLower(err.Error())
	for _, r := range rules {
		if containsAll(said, r.words) {
			return r
		}
	}
	for _, k := range kinds {
		if k.is(err) {
			return rule{kind: k.kind}
		}
	}
	return rule{kind: adapters.ErrInternal}
}

func containsAll(s string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}

// isBroken tells a daemon that went away, or that was never there, from one that
// answers.
func isBroken(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	_, transport := errors.AsType[*url.Error](err)
	_, unanswered := errors.AsType[*local.NoAnswer](err)
	return network || transport || unanswered || client.IsErrConnectionFailed(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
