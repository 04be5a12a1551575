package quixand

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/buildlog"
	"github.com/quixand/quixand/internal/filelock"
	"github.com/quixand/quixand/internal/template"
	"github.com/quixand/quixand/pkg/adapters"
)

// BuildOptions describe a build. Every zero value is useful.
type BuildOptions struct {
	// Name of the template; empty is the last part of the directory's path.
	Name string
	// File is the recipe, relative to the directory; empty is the first that
	// there is of e2b.Dockerfile, Dockerfile and Containerfile.
	File string
	// Recipe, when it is set, is used in place of a file: a
	// [github.com/quixand/quixand/pkg/templates.Builder].
	Recipe interface{ Containerfile() (string, error) }
	// Args are build arguments; Target is the stage to build, the last one if
	// empty; Platform is os/arch, the engine's own if empty.
	Args             map[string]string
	Target, Platform string
	Labels           map[string]string
	// Secrets are contents for RUN --mount=type=secret,id=KEY. They get
	// neither into the image nor into its hash.
	Secrets map[string][]byte
	// NoCache builds although nothing has changed, and every step anew.
	NoCache bool
	// Pull is for the base images: PullMissing unless told.
	Pull PullPolicy
	// Progress, when set, is told what happens, by the goroutine of Build.
	Progress func(BuildEvent)
}

// BuildEvent is something that happens during a build.
type BuildEvent = adapters.BuildEvent

// BuildError is an instruction that failed: errors.As finds it in what
// [Templates.Build] returns.
type BuildError = adapters.BuildError

// Build makes a template of a directory with a recipe; an empty dir beside
// [BuildOptions.Recipe] is one without files. The same recipe with
// the same files is built once, however often and by however many at a time it
// is asked for: the engine is then asked for no more than whether the image is
// there. When Build fails, or ctx ends, the template is what it was.
func (t *Templates) Build(ctx context.Context, dir string, opts *BuildOptions) (*Template, error) {
	if opts == nil {
		opts = &BuildOptions{}
	}
	built, err := t.build(ctx, dir, opts)
	return built, t.wrap("build template", err)
}

func (t *Templates) build(ctx context.Context, dir string, opts *BuildOptions) (*Template, error) {
	b, err := t.prepare(dir, opts)
	if err != nil {
		return nil, err
	}
	if built, err := b.existing(ctx); built != nil || err != nil {
		return built, err
	}
	lock, err := filelock.Acquire(ctx, filepath.Join(t.client.cfg.Root, "templates", b.name+".lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	// Somebody else may have built it meanwhile.
	if built, err := b.existing(ctx); built != nil || err != nil {
		return built, err
	}
	before, _ := b.store.Image(ctx, b.ref) // there is one only for who wants no cache
	err = b.runAgain(ctx)
	b.remember(err)
	if err != nil {
		return nil, err
	}
	built, err := b.find(ctx)
	if err == nil && before != nil && before.ID != built.ID {
		t.removeNameless(ctx, before.ID)
	}
	return built, err
}

// removeNameless removes an image that has lost its names to a later build,
// unless something uses it: then Prune finds it when that has ended.
func (t *Templates) removeNameless(ctx context.Context, id string) (removed bool) {
	store, err := t.store()
	if err != nil {
		return false
	}
	image, err := store.Image(ctx, id)
	return err == nil && len(image.Names) == 0 && store.RemoveImage(ctx, id, false) == nil
}

// runAgain is run, once more where a layer of an earlier build was found, and
// then removed with another image that had it. There is no way to hold on to
// one.
func (b *building) runAgain(ctx context.Context) error {
	err := b.run(ctx)
	if errors.Is(err, ErrConflict) {
		err = b.run(ctx)
	}
	return err
}

// building is one build of a template.
type building struct {
	*Templates
	opts    *BuildOptions
	store   adapters.ImageStore
	builder adapters.ImageBuilder
	source  *template.Source
	name    string
	hash    string
	ref     string // of the image
	record  buildlog.Record
}

func (t *Templates) prepare(dir string, opts *BuildOptions) (*building, error) {
	b := &building{Templates: t, opts: opts}
	var err error
	if b.store, err = t.store(); err != nil {
		return nil, err
	}
	var ok bool
	if b.builder, ok = t.client.adapter.(adapters.ImageBuilder); !ok {
		return nil, &Error{Kind: ErrUnsupported, Err: errors.New("this adapter's engine builds no images")}
	}
	if b.source, err = openSource(dir, opts); err != nil {
		return nil, err
	}
	b.name = firstSet(opts.Name, strings.ToLower(filepath.Base(b.source.Dir)))
	if err := checkTemplateName(b.name); err != nil {
		return nil, err
	}
	if err := checkBuild(opts); err != nil {
		return nil, err
	}
	b.hash, err = b.source.Hash(&template.Inputs{
		Args: opts.Args, Target: opts.Target, Platform: opts.Platform, Labels: opts.Labels,
		Secrets: slices.Sorted(maps.Keys(opts.Secrets)),
	})
	b.ref = templateRepository + b.name + ":" + b.hash
	return b, err
}

func openSource(dir string, opts *BuildOptions) (*template.Source, error) {
	if opts.Recipe == nil {
		return template.Open(dir, opts.File)
	}
	if opts.File != "" {
		return nil, invalid("both a recipe and a file %q", opts.File)
	}
	text, err := opts.Recipe.Containerfile()
	if err != nil {
		return nil, invalid("recipe: %v", err)
	}
	return template.With(dir, []byte(text))
}

var (
	secretID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	platform = regexp.MustCompile(`^([a-z0-9]+(/[a-z0-9_]+){1,2})?$`)
)

func checkBuild(o *BuildOptions) error {
	for id := range o.Secrets {
		if !secretID.MatchString(id) {
			return invalid("%.120q cannot be the id of a secret", id)
		}
	}
	if !platform.MatchString(o.Platform) {
		return invalid("platform %.120q is not like linux/amd64", o.Platform)
	}
	switch o.Pull {
	case "", PullMissing, PullAlways, PullNever:
		return nil
	}
	return invalid("pull policy %q", o.Pull)
}

// existing is the template when nothing has to be built.
func (b *building) existing(ctx context.Context) (*Template, error) {
	if b.opts.NoCache || b.opts.Pull == PullAlways {
		return nil, nil
	}
	image, err := b.store.Image(ctx, b.ref)
	if err != nil {
		return nil, gone(err)
	}
	built := templateFrom(image, b.ref)
	if !built.Current { // an earlier build, to which the recipe has come back
		if err := b.makeCurrent(ctx); err != nil {
			return nil, err
		}
	}
	built.Current, built.Cached = true, true
	return built, nil
}

func (b *building) makeCurrent(ctx context.Context) error {
	return b.store.TagImage(ctx, b.ref, templateRepository+b.name+":"+latest)
}

func (b *building) find(ctx context.Context) (*Template, error) {
	if err := b.makeCurrent(ctx); err != nil {
		return nil, err
	}
	image, err := b.store.Image(ctx, b.ref)
	if err != nil {
		return nil, err
	}
	built := templateFrom(image, b.ref)
	built.Current = true
	return built, nil
}

// run has the engine build. What it builds from is streamed, and an error of
// the files' side is told in place of the engine's about a stream that ended.
func (b *building) run(ctx context.Context) error {
	b.record = buildlog.Record{Hash: b.hash, Began: time.Now().UTC(), Engine: b.client.cfg.Adapter}
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := b.source.WriteTar(w, b.opts.Secrets)
		w.CloseWithError(err)
		packed <- err
	}()
	_, err := b.builder.BuildImage(ctx, b.spec(r))
	r.CloseWithError(errStopped)
	if packing := <-packed; packing != nil && !errors.Is(packing, errStopped) && ctx.Err() == nil {
		return packing
	}
	return b.located(err)
}

// maxRecipeLabel bounds the recipes that are kept with their images.
const maxRecipeLabel = 32 << 10

var errStopped = errors.New("the build has ended")

func (b *building) spec(tar io.Reader) *adapters.BuildSpec {
	labels := maps.Clone(b.opts.Labels)
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[templateLabelName] = b.name
	labels[templateLabelHash] = b.hash
	labels[templateLabelBegan] = b.record.Began.Format(time.RFC3339Nano)
	labels[templateLabelEngine] = b.record.Engine
	if text := b.source.Recipe.Text; len(text) <= maxRecipeLabel {
		labels[templateLabelRecipe] = base64.StdEncoding.EncodeToString(text)
	}
	return &adapters.BuildSpec{
		Context: tar, Recipe: template.RecipeName, Hidden: []string{template.OwnNames},
		Tag: b.ref, Args: b.opts.Args, Labels: labels, Target: b.opts.Target, Platform: b.opts.Platform,
		Secrets: template.SecretNames(b.opts.Secrets), NoCache: b.opts.NoCache,
		Pull: cmp.Or(b.opts.Pull, PullMissing), Progress: b.progress,
	}
}

func (b *building) progress(e BuildEvent) {
	b.record.Add(cmp.Or(e.Output, e.Instruction))
	if b.opts.Progress != nil {
		b.opts.Progress(e)
	}
}

// located adds the line of the recipe to an instruction that failed.
func (b *building) located(err error) error {
	failed, ok := errors.AsType[*BuildError](err)
	if !ok {
		return err
	}
	failed.Line = cmp.Or(failed.Line, b.source.Recipe.Line(failed.Instruction))
	e := *err.(*Error) //nolint:errorlint,forcetypeassert // adapters return nothing else
	if failed.Line > 0 {
		e.Err = fmt.Errorf("line %d: %w", failed.Line, failed)
	}
	return &e
}
