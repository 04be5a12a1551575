package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"

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
	hintTag   = "check the image's name and tag"
	hintLogin = "log in to the registry with docker login, and check the image's name"

	hintNetwork  = "check the network and the registry's name"
	hintArchive  = "give an archive that docker save has written"
	hintBuilder  = "use Docker 19.03 or newer, which has BuildKit; what Podman's socket answers for has its own name: QS_ADAPTER=podman"
	hintInsecure = "the registry speaks plain HTTP: name it under insecure-registries in the daemon's daemon.json"
)

// rules say what the daemon's messages mean where its status does not. They are
// tried in order.
var rules = []local.Rule{
	local.Means(adapters.ErrExhausted, hintDisk, "no space left on device"),
	local.Means(adapters.ErrExhausted, hintDisk, "disk quota exceeded"),
	local.Means(adapters.ErrExhausted, "raise the daemon's limit of open files", "too many open files"),
	local.Means(adapters.ErrExhausted, "", "cannot allocate memory"),
	local.Means(adapters.ErrExhausted, "remove networks that nobody uses: docker network prune", "could not find an available", "address pool"),

	local.Means(adapters.ErrExists, "", "is already in use"),
	local.Means(adapters.ErrConflict, "resume it with: qs resume ID", "is already paused"),
	local.Means(adapters.ErrConflict, "", "is not paused"),
	local.Means(adapters.ErrConflict, "", "is not running"),

	// Podman answers 500 for one that goes while it is looked at.
	local.Means(adapters.ErrNotFound, "", "no such container"),
	local.Means(adapters.ErrNotFound, hintImage, "no such image"),
	local.Means(adapters.ErrNotFound, hintTag, "manifest unknown"),
	local.Means(adapters.ErrNotFound, hintLogin, "repository does not exist"),
	local.Means(adapters.ErrNotFound, hintTag, "name unknown"),
	local.Means(adapters.ErrNotFound, hintTag, "name_unknown"),
	local.Means(adapters.ErrNotFound, hintTag, "manifest_unknown"),
	local.Means(adapters.ErrPermission, hintLogin, "no basic auth credentials"),
	local.Means(adapters.ErrPermission, hintLogin, "unauthorized"),
	local.Means(adapters.ErrPermission, hintLogin, "requested access to the resource is denied"),
	local.Means(adapters.ErrExhausted, "the registry limits pulls: wait, or docker login", "toomanyrequests"),
	local.Means(adapters.ErrUnavailable, hintNetwork, "server misbehaving"),
	local.Means(adapters.ErrUnavailable, hintNetwork, "no such host"),
	local.Means(adapters.ErrUnavailable, hintNetwork, "connection refused"),
	local.Means(adapters.ErrInvalid, "check the image's name", "invalid reference format"),
	local.Means(adapters.ErrUnsupported, "use an agent and an image for the daemon's architecture", "exec format error"),

	local.Means(adapters.ErrUnsupported, hintBuilder, "unable to upgrade to h2c"),
	local.Means(adapters.ErrNotFound, hintImage, "denied by policy"),
	local.Means(adapters.ErrUnavailable, hintInsecure, "server gave http response to https client"),
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
