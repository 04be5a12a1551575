// Package buildkit has the BuildKit inside a Docker daemon build images.
//
// It speaks as much of BuildKit's gRPC API as that takes: Solve and Status, and a
// session, by which the daemon asks this process for what it builds from. That
// goes over connections of the daemon's own API, as `docker buildx` has it,
// with the gRPC that is in this program anyway: BuildKit's own client would be
// half of it.
//
// All that the daemon does for a build ends with these connections, also when
// this process is killed: nothing has to be marked and swept.
package buildkit

import (
	"cmp"
	"context"
	"crypto/rand"
	"net"
	"time"

	"github.com/quixand/quixand/internal/buildkit/wire"
	"github.com/quixand/quixand/pkg/adapters"
)

// Dial posts to a path of the daemon's API with a header, and returns the
// connection when that has become one for HTTP/2.
type Dial func(ctx context.Context, path string, header map[string][]string) (net.Conn, error)

// Build is what to build.
type Build struct {
	*adapters.BuildSpec
	// Images, when not nil, are the only ones to begin with, by their full names.
	Images []string
	// Login returns the user's name and secret for a registry, or nothing.
	Login func(host string) (user, secret string, err error)
}

// patience is for what is still to be told of a build when its result is
// known. It is all there at once, but of one that never began.
const patience = 5 * time.Second

// Run builds, and returns the id of the image, which has no name. The end of
// ctx ends the build before Run returns. A failing instruction is an
// [*adapters.BuildError].
func (b *Build) Run(ctx context.Context, dial Dial) (image string, err error) {
	from, err := openContext(b.BuildSpec)
	if err != nil {
		return "", err
	}
	s := &session{id: rand.Text(), from: from, login: b.Login}
	if err := s.open(ctx, dial); err != nil {
		return "", err
	}
	defer s.close()
	c, err := connectTo(ctx, dial)
	if err != nil {
		return "", err
	}
	defer c.close()

	request := b.request(s.id)
	listening, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	solved := make(chan struct{})
	go func() {
		defer close(solved)
		image, err = c.solve(ctx, request)
		time.AfterFunc(patience, stop)
	}()
	said := newProgress(b.Progress)
	c.follow(listening, request.Ref, said)
	<-solved
	if err != nil {
		return "", explain(cmp.Or(context.Cause(ctx), err), from.recipe, said)
	}
	return image, nil
}

// request is the build in BuildKit's words.
func (b *Build) request(session string) *wire.SolveRequest {
	attrs := map[string]string{
		"context": sessionURL + session, "contextsubdir": contextDir, "filename": recipeName,
		"image-resolve-mode": "default", // what the daemon has, before what a registry has
	}
	set := func(name, value string) {
		if value != "" {
			attrs[name] = value
		}
	}
	set("target", b.Target)
	set("platform", b.Platform)
	for name, value := range b.Args {
		attrs["build-arg:"+name] = value
	}
	for name, value := range b.Labels {
		attrs["label:"+name] = value
	}
	if b.NoCache {
		attrs["no-cache"] = ""
	}
	if b.Pull == adapters.PullAlways {
		attrs["image-resolve-mode"] = "pull"
	}
	return &wire.SolveRequest{
		Ref: rand.Text(), Session: session, Frontend: "dockerfile.v0", FrontendAttrs: attrs,
		Exporter: "moby", SourcePolicy: b.policy(),
	}
}

// policy keeps the daemon from asking registries for other images than those
// that it has. The last rule that fits counts.
func (b *Build) policy() *wire.Policy {
	if b.Images == nil {
		return nil
	}
	const scheme = "docker-image://"
	p := &wire.Policy{Version: 1, Rules: []*wire.Rule{{
		Action: wire.Rule_ACTION_DENY, Selector: &wire.Selector{Identifier: scheme + "*"},
	}}}
	for _, name := range b.Images {
		p.Rules = append(p.Rules, &wire.Rule{
			Action: wire.Rule_ACTION_ALLOW, Selector: &wire.Selector{Identifier: scheme + name, Match: wire.Selector_MATCH_EXACT},
		})
	}
	return p
}
