package podman

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// BuildImage has the engine build an image, with the layers of earlier builds
// as its cache.
func (e *engine) BuildImage(ctx context.Context, spec *adapters.BuildSpec) (string, error) {
	if _, err := e.use(ctx); err != nil {
		return "", err
	}
	e.Sweep(ctx)
	m, err := e.markBuild()
	if err != nil {
		return "", mapError(err)
	}
	defer m.release()
	b := &build{spec: spec}
	if err = b.run(ctx, e, m); err == nil || b.told {
		m.remove()
		return b.id, err
	}
	return "", local.AlsoLeft(err, e.endBuild(context.WithoutCancel(ctx), m))
}

// buildQuery is the build as the API's parameters have it.
func buildQuery(spec *adapters.BuildSpec) url.Values {
	q := url.Values{
		"dockerfile": {asJSON([]string{spec.Recipe})},
		"t":          {spec.Tag},
		"pullpolicy": {string(spec.Pull)},
		"excludes":   {asJSON(spec.Hidden)},
		// Without a format the engine finds no layer of an earlier build.
		"outputformat": {"application/vnd.oci.image.manifest.v1+json"},
		"layers":       {"1"},
		// Containers go, also when a step fails.
		"rm": {"1"}, "forcerm": {"1"},
	}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(spec.Args) > 0 {
		q.Set("buildargs", asJSON(spec.Args))
	}
	if len(spec.Labels) > 0 {
		q.Set("labels", asJSON(spec.Labels))
	}
	if len(spec.Secrets) > 0 {
		q.Set("secrets", asJSON(secretOptions(spec.Secrets)))
	}
	set("target", spec.Target)
	set("platform", spec.Platform)
	if spec.NoCache {
		q.Set("nocache", "1")
	}
	return q
}

// secretOptions is how the engine wants to be told where secrets are.
func secretOptions(secrets map[string]string) []string {
	var options []string
	for _, id := range slices.Sorted(maps.Keys(secrets)) {
		options = append(options, "id="+id+",src="+secrets[id])
	}
	return options
}

// build follows one build by what the engine says.
type build struct {
	spec *adapters.BuildSpec
	told bool                // the engine has said why it failed
	step adapters.BuildEvent // the instruction at work
	over bool                // the recipe has come to its end
	last []string            // output of the instruction at work
	id   string              // of the image
	rest string              // a line that has no end yet
}

const (
	lastLines = 20
	// maxLine bounds what is kept of a line without an end.
	maxLine = 64 << 10
)

// run has the engine build, and returns when it says how that has ended, or when
// that takes too long after the end of ctx.
func (b *build) run(ctx context.Context, e *engine, m *mark) error {
	longer, release := m.watch(ctx)
	defer release()
	query := buildQuery(b.spec)
	query.Set("volume", m.volume())
	reports, err := e.open(longer, http.MethodPost, "/build", query, io.MultiReader(m.file(), b.spec.Context))
	if err == nil {
		defer reports.Close()
		err = b.follow(reports)
	}
	if err != nil {
		return mapError(cmp.Or(context.Cause(ctx), err))
	}
	return nil
}

// follow reads reports to their end.
func (b *build) follow(reports io.Reader) error {
	decoder := json.NewDecoder(reports)
	for {
		var report struct{ Stream, Error string }
		switch err := decoder.Decode(&report); {
		case errors.Is(err, io.EOF):
			return b.end()
		case err != nil:
			return &local.NoAnswer{Err: err}
		case report.Error != "":
			b.told = true
			return b.failure(report.Error)
		}
		b.add(report.Stream)
	}
}

func (b *build) add(text string) {
	b.rest += text
	for {
		line, rest, ok := strings.Cut(b.rest, "\n")
		if !ok && len(b.rest) < maxLine {
			return
		}
		b.rest = rest
		b.line(strings.TrimRight(line, "\r"))
	}
}

var (
	stepLine = regexp.MustCompile(`^(?:\[\d+/\d+\] )?STEP (\d+)(?:/(\d+))?: (.*)$`)
	imageID  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (b *build) line(line string) {
	if imageID.MatchString(line) {
		b.id = line // the last one counts: the builder ends with it
	}
	if m := stepLine.FindStringSubmatch(line); m != nil {
		b.begin(m[1], m[2], m[3])
		return
	}
	if line == "" {
		return
	}
	b.last = append(b.last, line)
	b.last = b.last[max(0, len(b.last)-lastLines):]
	switch {
	case strings.HasPrefix(line, "--> Using cache "):
		cached := b.step
		cached.Cached = true
		b.tell(cached)
	case !strings.HasPrefix(line, "--> "):
		b.tell(adapters.BuildEvent{Output: line})
	}
}

func (b *build) begin(step, steps, instruction string) {
	b.step, b.last = adapters.BuildEvent{Instruction: instruction}, nil
	b.step.Step, _ = strconv.Atoi(step)
	b.step.Steps, _ = strconv.Atoi(steps)
	b.over = b.over || b.setsLabels(instruction)
	b.tell(b.step)
}

// setsLabels recognises the instruction that the builder adds for the labels of
// the specification. What follows is about that, and about tags.
func (b *build) setsLabels(instruction string) bool {
	for label := range b.spec.Labels {
		if strings.HasPrefix(instruction, `LABEL "`+label+`"=`) {
			return true
		}
	}
	return false
}

func (b *build) tell(e adapters.BuildEvent) {
	if !b.over {
		b.spec.Progress(e)
	}
}

// end is reached when the engine has no more to say.
func (b *build) end() error {
	if b.rest != "" {
		b.line(b.rest)
	}
	if b.id == "" {
		return &local.NoAnswer{Err: errors.New("the engine has ended the build without a word about the image")}
	}
	return nil
}

// failure tells a failing instruction from a failing engine.
func (b *build) failure(said string) error {
	e := mapped(errors.New(said))
	if b.step.Instruction == "" {
		return e
	}
	if errors.Is(e.Kind, adapters.ErrInternal) {
		e.Kind = adapters.ErrInvalid // the recipe's fault, as far as one can see
	}
	e.Err = &adapters.BuildError{Instruction: b.step.Instruction, Output: b.last, Err: errors.New(shortened(said))}
	return e
}

// shortened leaves out what repeats the instruction.
func shortened(said string) string {
	if _, reason, ok := strings.Cut(said, `": `); ok && strings.Contains(said, "at STEP") {
		return strings.TrimSpace(reason)
	}
	return strings.TrimSpace(said)
}
