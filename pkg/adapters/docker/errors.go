package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// What to do, where several failures have the same cure.
const (
	hintLimit   = "let the daemon's host have the cgroup controllers, or create the sandbox without that limit"
	hintImage   = "check the image's name, and fetch it with docker pull or with the pull policy missing"
	hintLogin   = "log in to the registry with docker login, and check the image's name"
	hintNetwork = "check the network and the registry's name"
)

// rules say what the daemon's messages mean where its status does not. They are
// tried in order.
var rules = slices.Concat([]local.Rule{
	local.Means(adapters.ErrExhausted, "raise the daemon's limit of open files", "too many open files"),
	local.Means(adapters.ErrExhausted, "remove networks that nobody uses: docker network prune", "could not find an available", "address pool"),
	local.Means(adapters.ErrConflict, "resume it with: qs resume ID", "is already paused"),
	local.Means(adapters.ErrConflict, "", "is not running"),
	local.Means(adapters.ErrNotFound, hintLogin, "repository does not exist"),
	local.Means(adapters.ErrNotFound, hintImage, "name_unknown"),
	local.Means(adapters.ErrNotFound, hintImage, "manifest_unknown"),
	local.Means(adapters.ErrNotFound, hintImage, "denied by policy"),
	local.Means(adapters.ErrPermission, hintLogin, "no basic auth credentials"),
	local.Means(adapters.ErrUnavailable, "the registry speaks plain HTTP: name it under insecure-registries in the daemon's daemon.json",
		"server gave http response to https client"),
	local.Means(adapters.ErrUnsupported, "use Docker 19.03 or newer, which has BuildKit; what Podman's socket answers for has its own name: QS_ADAPTER=podman",
		"unable to upgrade to h2c"),
}, local.CommonRules(Name), []local.Rule{
	local.Means(adapters.ErrUnavailable, hintNetwork, "server misbehaving"),
	local.Means(adapters.ErrUnavailable, hintNetwork, "no such host"),
	local.Means(adapters.ErrUnavailable, hintNetwork, "connection refused"),
	local.Means(adapters.ErrUnsupported, "use an agent and an image for the daemon's architecture", "exec format error"),
})

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
		e.Kind, e.Hint = r.Kind, r.Hint
	}
	return e
}

// judge finds the rule for the daemon's words, or makes one of its status.
func judge(err error) local.Rule {
	if r, ok := local.Judge(rules, err.Error()); ok {
		return r
	}
	for _, k := range kinds {
		if k.is(err) {
			return local.Rule{Kind: k.kind}
		}
	}
	return local.Rule{Kind: adapters.ErrInternal}
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
