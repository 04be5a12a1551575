package podman

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/quixand/quixand/internal/nearest"
	"github.com/quixand/quixand/pkg/adapters"
)

// PushImage copies an image to a registry.
func (e *engine) PushImage(ctx context.Context, name, destination string, opts *adapters.RegistryOptions) error {
	query := url.Values{"destination": {destination}, "quiet": {"false"}, "tlsVerify": {tlsVerify(opts)}}
	return e.transfer(ctx, destination, "/images/%s/push", query, opts, name)
}

// PullImage fetches an image, also when there is one of this name.
func (e *engine) PullImage(ctx context.Context, name string, opts *adapters.RegistryOptions) error {
	query := url.Values{"reference": {name}, "policy": {"always"}, "tlsVerify": {tlsVerify(opts)}}
	err := e.transfer(ctx, name, "/images/pull", query, opts)
	if failed, ok := errors.AsType[*adapters.Error](err); ok && errors.Is(failed, adapters.ErrNotFound) {
		if hint := e.otherTags(ctx, name, opts); hint != "" {
			failed.Hint = hint
		}
	}
	return err
}

func tlsVerify(opts *adapters.RegistryOptions) string { return strconv.FormatBool(!opts.Insecure) }

// transfer follows a pull or a push, whose reports are alike.
func (e *engine) transfer(ctx context.Context, remote, path string, query url.Values, opts *adapters.RegistryOptions, args ...string) error {
	reports, err := e.open(ctx, http.MethodPost, path, query, nil, args...)
	if err != nil {
		return err
	}
	defer reports.Close()
	err = followPull(reports, &progressLines{say: opts.Output})
	if err == nil {
		return nil
	}
	failed := mapped(err)
	if ctx.Err() == nil {
		failed.Err = fmt.Errorf("%s: %s", remote, reason(err))
	}
	return failed
}

// roundabout is how the engine leads up to what a registry has said.
var roundabout = regexp.MustCompile(`^(unable to copy from source|initializing source|trying to reuse blob|checking whether a blob) \S+( at destination| exists in \S+)?: `)

// reason is what went wrong in a transfer, in one line.
func reason(err error) string {
	said, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	for {
		rest := roundabout.ReplaceAllString(said, "")
		if rest == said {
			return said
		}
		said = rest
	}
}

// mostTags bounds the tags that are asked for.
const mostTags = 1000

// otherTags suggests tags of a repository in place of one that it has not, if it
// can be had.
func (e *engine) otherTags(ctx context.Context, name string, opts *adapters.RegistryOptions) string {
	repo, tag := splitTag(name)
	if strings.Contains(name, "@") {
		return ""
	}
	query := url.Values{"term": {repo}, "listTags": {"true"}, "limit": {strconv.Itoa(mostTags)}, "tlsVerify": {tlsVerify(opts)}}
	var found []struct{ Tag string }
	if err := e.call(ctx, http.MethodGet, "/images/search", query, nil, &found); err != nil {
		return ""
	}
	var tags []string
	for _, f := range found {
		tags = append(tags, f.Tag)
	}
	switch near := nearest.To(tag, tags); {
	case len(near) > 0:
		return "did you mean " + repo + ":" + near[0] + "?"
	case len(tags) > 0:
		return "it has the tags " + strings.Join(tags[:min(len(tags), 10)], ", ")
	}
	return ""
}
