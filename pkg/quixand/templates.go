package quixand

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// Labels of a template's image: all that is known of it. With them and the
// image's names, whatever else is on disk can be made again.
const (
	templateLabelName   = "quixand.template"
	templateLabelHash   = "quixand.template.hash"
	templateLabelRecipe = "quixand.template.recipe" // base64: builders change the ends of lines
)

const (
	// templateRepository is before the name of every template's image.
	templateRepository = "localhost/quixand/"
	// latest is the tag of the build that the template's name means.
	latest = "latest"
)

// Templates are the images that the user has built for sandboxes, in the
// engine's own store: podman images shows them, too. They belong to the user
// and not to one Quixand root. It is safe for concurrent use.
type Templates struct {
	client *Client
}

// Template is an image that sandboxes start from, by its name.
type Template struct {
	Name    string    `json:"name"`
	Hash    string    `json:"hash"`  // of the recipe and all it uses
	Image   string    `json:"image"` // reference of this very build
	ID      string    `json:"id"`    // of the image
	Created time.Time `json:"created"`
	Bytes   int64     `json:"bytes"` // with the layers that it shares
	// Sandboxes is how many containers use it; negative when that was not
	// asked for.
	Sandboxes int `json:"sandboxes"`
	// Current says that the name means this build; Cached, of what Build
	// returns, that nothing had to be built.
	Current bool   `json:"current"`
	Cached  bool   `json:"cached,omitempty"`
	Recipe  string `json:"recipe,omitempty"`
	// Workdir and User are what the recipe has set. A sandbox has others unless
	// its [Options] name them. List does not tell.
	Workdir string            `json:"workdir,omitempty"`
	User    string            `json:"user,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// Templates works on the templates of the engine. Its methods are
// ErrUnsupported where the engine keeps no images.
func (c *Client) Templates() *Templates { return &Templates{c} }

func (t *Templates) store() (adapters.ImageStore, error) {
	if s, ok := t.client.adapter.(adapters.ImageStore); ok {
		return s, nil
	}
	return nil, &Error{Kind: ErrUnsupported, Err: errors.New("this adapter's engine keeps no images")}
}

func (t *Templates) wrap(op string, err error) error { return t.client.wrap(op, "", err) }

var templateName = regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*$`)

const maxTemplateName = 100

func checkTemplateName(name string) error {
	if len(name) > maxTemplateName || !templateName.MatchString(name) {
		e := invalid("%.120q cannot be the name of a template", name)
		e.Hint = "lower-case letters and digits, with single dots, dashes or underscores between them"
		return e
	}
	return nil
}

// reference names the image of a template: NAME for its current build, or
// NAME:HASH for a certain one.
func reference(name string) (string, error) {
	bare, tag, tagged := strings.Cut(name, ":")
	if err := checkTemplateName(bare); err != nil {
		return "", err
	}
	if !tagged {
		tag = latest
	}
	if tag == "" || strings.ContainsAny(tag, ":/@ ") {
		return "", invalid("%.120q is no tag of a template", tag)
	}
	return templateRepository + bare + ":" + tag, nil
}

// Get describes a template by its name, or NAME:HASH.
func (t *Templates) Get(ctx context.Context, name string) (*Template, error) {
	found, err := t.find(ctx, name)
	return found, t.wrap("get template", err)
}

func (t *Templates) find(ctx context.Context, name string) (*Template, error) {
	ref, err := reference(name)
	if err != nil {
		return nil, err
	}
	store, err := t.store()
	if err != nil {
		return nil, err
	}
	image, err := store.Image(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		return nil, t.unknown(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	return templateFrom(image, ref), nil
}

// templateFrom reads what the image says of itself. ref is the name by which it
// was found.
func templateFrom(image *adapters.Image, ref string) *Template {
	name, hash, _ := strings.Cut(strings.TrimPrefix(ref, templateRepository), ":")
	if own := image.Labels[templateLabelHash]; own != "" {
		hash = own
	}
	// The name's meaning may change, and this build's not.
	if exact := templateRepository + name + ":" + hash; slices.Contains(image.Names, exact) {
		ref = exact
	}
	recipe, _ := base64.StdEncoding.DecodeString(image.Labels[templateLabelRecipe])
	return &Template{
		Name: name, Hash: hash, Image: ref, ID: image.ID, Created: image.Created, Bytes: image.Bytes,
		Sandboxes: image.Containers, Current: slices.Contains(image.Names, templateRepository+name+":"+latest),
		Recipe: string(recipe), Workdir: image.Workdir, User: image.User, Labels: image.Labels,
	}
}

// List describes every build of every template, the newest first.
func (t *Templates) List(ctx context.Context) ([]*Template, error) {
	all, err := t.list(ctx)
	return all, t.wrap("list templates", err)
}

func (t *Templates) list(ctx context.Context) ([]*Template, error) {
	store, err := t.store()
	if err != nil {
		return nil, err
	}
	// By their names and not by their labels: some were pulled or imported.
	images, err := store.Images(ctx, nil)
	if err != nil {
		return nil, err
	}
	var all []*Template
	for _, image := range images {
		for _, ref := range image.Names {
			if strings.HasPrefix(ref, templateRepository) && !strings.HasSuffix(ref, ":"+latest) {
				all = append(all, templateFrom(image, ref))
			}
		}
	}
	return all, nil
}

// Remove removes a template with all its builds, or the one build NAME:HASH.
// One that a sandbox uses is ErrConflict, unless force ends the sandbox.
func (t *Templates) Remove(ctx context.Context, name string, force bool) error {
	return t.wrap("remove template", t.remove(ctx, name, force))
}

func (t *Templates) remove(ctx context.Context, name string, force bool) error {
	if _, err := reference(name); err != nil {
		return err
	}
	all, err := t.list(ctx)
	if err != nil {
		return err
	}
	bare, tag, tagged := strings.Cut(name, ":")
	var doomed []*Template
	for _, b := range all {
		if b.Name == bare && (!tagged || tag == b.Hash || tag == latest && b.Current) {
			doomed = append(doomed, b)
		}
	}
	if len(doomed) == 0 {
		return t.unknown(ctx, name)
	}
	if err := t.removeBuilds(ctx, doomed, force); err != nil || tagged {
		return err
	}
	return t.records().Forget(bare)
}

// removeBuilds removes all or, where one is in use, none.
func (t *Templates) removeBuilds(ctx context.Context, builds []*Template, force bool) error {
	store, err := t.store()
	if err != nil {
		return err
	}
	for _, b := range builds {
		if b.Sandboxes > 0 && !force {
			return &Error{
				Kind: ErrConflict, Err: fmt.Errorf("template %s has sandboxes: %d", b.Name, b.Sandboxes),
				Hint: "kill them first, or force the removal, which does",
			}
		}
	}
	if force {
		if err := t.killUsers(ctx, builds); err != nil {
			return err
		}
	}
	for _, b := range builds {
		if b.Current {
			if err := gone(store.RemoveImage(ctx, templateRepository+b.Name+":"+latest, force)); err != nil {
				return err
			}
		}
		if err := gone(store.RemoveImage(ctx, b.Image, force)); err != nil {
			return err
		}
	}
	return nil
}

// killUsers ends the sandboxes of these builds, as far as they are this root's.
// Those of others the engine removes with the image.
func (t *Templates) killUsers(ctx context.Context, builds []*Template) error {
	infos, err := t.client.adapter.List(ctx, adapters.Filter{Root: t.client.cfg.Root})
	if err != nil {
		return err
	}
	for _, info := range infos {
		uses := func(b *Template) bool { return b.Image == info.Image }
		if slices.ContainsFunc(builds, uses) {
			if err := gone(t.client.adapter.Kill(ctx, info.ID, t.client.killOptions(false))); err != nil {
				return err
			}
		}
	}
	return nil
}

// gone takes for done what somebody else has done.
func gone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Prune removes the builds that no name means any more and that no sandbox
// uses, and returns them. Layers that only make later builds quicker stay;
// podman image prune removes them.
func (t *Templates) Prune(ctx context.Context) ([]*Template, error) {
	all, err := t.list(ctx)
	var old []*Template
	for _, b := range all {
		if !b.Current && b.Sandboxes <= 0 {
			old = append(old, b)
		}
	}
	if err == nil {
		err = t.removeBuilds(ctx, old, false)
	}
	var nameless []*Template
	if err == nil {
		nameless, err = t.pruneNameless(ctx)
	}
	if err != nil {
		return nil, t.wrap("prune templates", err)
	}
	return append(old, nameless...), nil
}

// pruneNameless removes the builds whose very name another has: of the same
// recipe, by who wanted no cache, or by who was killed over it.
func (t *Templates) pruneNameless(ctx context.Context) (removed []*Template, err error) {
	store, err := t.store()
	if err != nil {
		return nil, err
	}
	images, err := store.Images(ctx, map[string]string{templateLabelName: ""})
	for _, image := range images {
		if len(image.Names) == 0 && image.Containers <= 0 && t.removeNameless(ctx, image.ID) {
			ref := templateRepository + image.Labels[templateLabelName] + ":" + image.Labels[templateLabelHash]
			removed = append(removed, templateFrom(image, ref))
		}
	}
	return removed, err
}

// Tag gives the current build of a template, or NAME:HASH, a second name.
func (t *Templates) Tag(ctx context.Context, name, second string) error {
	found, err := t.find(ctx, name)
	if err != nil {
		return t.wrap("tag template", err)
	}
	if err := checkTemplateName(second); err != nil {
		return t.wrap("tag template", err)
	}
	store, err := t.store()
	for _, tag := range []string{found.Hash, latest} {
		if err == nil {
			err = store.TagImage(ctx, found.Image, templateRepository+second+":"+tag)
		}
	}
	return t.wrap("tag template", err)
}

// adopt makes an image the current build of a template.
func (t *Templates) adopt(ctx context.Context, image, name string) (*Template, error) {
	store, err := t.store()
	if err != nil {
		return nil, err
	}
	found, err := store.Image(ctx, image)
	if err != nil {
		return nil, err
	}
	for _, tag := range []string{templateFrom(found, image).tag(), latest} {
		if err := store.TagImage(ctx, found.ID, templateRepository+name+":"+tag); err != nil {
			return nil, err
		}
	}
	return t.find(ctx, name)
}

// tag is the template's hash, or for an image of another origin its id.
func (t *Template) tag() string {
	if t.Labels[templateLabelHash] != "" {
		return t.Hash
	}
	return t.ID[:min(len(t.ID), 20)]
}

// Export writes a template as an OCI archive, which podman load reads, too.
func (t *Templates) Export(ctx context.Context, name string, w io.Writer) error {
	found, err := t.find(ctx, name)
	if err != nil {
		return t.wrap("export template", err)
	}
	store, err := t.store()
	if err == nil {
		err = store.ExportImage(ctx, found.Image, w)
	}
	return t.wrap("export template", err)
}

// Import reads an archive of one image and makes it the current build of a
// template.
func (t *Templates) Import(ctx context.Context, r io.Reader, name string) (*Template, error) {
	store, err := t.store()
	if err == nil {
		err = checkTemplateName(name)
	}
	if err != nil {
		return nil, t.wrap("import template", err)
	}
	names, err := store.ImportImage(ctx, r)
	if err == nil && len(names) != 1 {
		err = invalid("the archive holds %d images, not one", len(names))
	}
	if err != nil {
		return nil, t.wrap("import template", err)
	}
	imported, err := t.adopt(ctx, names[0], name)
	return imported, t.wrap("import template", err)
}
