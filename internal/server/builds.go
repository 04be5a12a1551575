package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
	"github.com/quixand/quixand/pkg/templates"
)

const (
	// buildLabel is whose template it is: the id of a key. Templates without it
	// are the host's, which all keys may use and none may change.
	buildLabel = "quixand.serve.key"

	// buildsAtOnce is how many builds run at a time, and buildsKept how many the
	// server remembers; buildTimeout bounds each.
	buildsAtOnce = 2
	buildsKept   = 100
	buildTimeout = time.Hour
	// maxBuildLog is how many lines of a build are kept.
	maxBuildLog = 10_000
)

// buildState is how far a build has come, in E2B's words.
type buildState string

const (
	buildWaiting  buildState = "waiting"
	buildBuilding buildState = "building"
	buildReady    buildState = "ready"
	buildFailed   buildState = "error"
)

// build is one that a client has asked for. It is the server's own memory: who
// asks for it after the server has ended is told that it is unknown.
type build struct {
	id, template, key string

	mu     sync.Mutex
	state  buildState
	log    []buildLine
	reason *buildReason
}

type buildLine struct {
	Timestamp time.Time `json:"timestamp"`
	Level     string    `json:"level"`
	Message   string    `json:"message"`
}

type buildReason struct {
	Message string `json:"message"`
	Step    string `json:"step,omitempty"`
}

func (b *build) say(level, message string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.log) < maxBuildLog {
		b.log = append(b.log, buildLine{time.Now().UTC(), level, message})
	}
}

func (b *build) become(s buildState, reason *buildReason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state, b.reason = s, reason
}

// start is for one caller.
func (b *build) start() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != buildWaiting || b.reason != nil {
		return false
	}
	b.state = buildBuilding
	return true
}

// builds are those that the server remembers.
type builds struct {
	slots chan struct{}

	mu    sync.Mutex
	all   map[string]*build
	order []string
	tasks sync.WaitGroup
	life  context.Context // of the server: it ends what is being built
	end   context.CancelFunc
}

func newBuilds() *builds {
	b := &builds{slots: make(chan struct{}, buildsAtOnce), all: make(map[string]*build)}
	b.life, b.end = context.WithCancel(context.Background())
	return b
}

// close ends the builds that run, and waits for them.
func (b *builds) close() {
	b.end()
	b.tasks.Wait()
}

func (b *builds) add(template, key string) *build {
	x := &build{id: strings.ToLower(rand.Text()), template: template, key: key, state: buildWaiting}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[x.id] = x
	b.order = append(b.order, x.id)
	if len(b.order) > buildsKept {
		delete(b.all, b.order[0])
		b.order = b.order[1:]
	}
	return x
}

func (b *builds) find(c *call) (*build, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.all[c.request.PathValue("build")]
	if x == nil || x.key != c.key.ID || x.template != c.request.PathValue("id") {
		return nil, &quixand.Error{Kind: quixand.ErrNotFound, Err: errors.New("there is no such build")}
	}
	return x, nil
}

// newTemplate begins a build. Nothing is built yet.
func (s *Server) newTemplate(c *call) error {
	req := struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{}
	if err := c.read(&req); err != nil {
		return err
	}
	name, tag, _ := strings.Cut(req.Name, ":")
	if tag != "" || len(req.Tags) > 0 {
		return &quixand.Error{Kind: quixand.ErrUnsupported, Err: errors.New("tags of templates are not to be had here")}
	}
	if !c.key.Limits.Allows(name) {
		return &quixand.Error{Kind: quixand.ErrPermission, Err: fmt.Errorf("this key may not use the template %q", name)}
	}
	if err := s.mayReplace(c, name); err != nil {
		return err
	}
	x := s.builds.add(name, c.key.ID)
	return c.answer(http.StatusAccepted, map[string]any{
		"templateID": name, "buildID": x.id, "public": false, "names": []string{name}, "aliases": []string{name}, "tags": []string{},
	})
}

// mayReplace refuses the name of a template that is not the caller's.
func (s *Server) mayReplace(c *call, name string) error {
	if slices.Contains(ownTemplates, name) {
		return &quixand.Error{Kind: quixand.ErrPermission, Err: fmt.Errorf("the template %s is the server's: choose another name", name)}
	}
	t, err := s.cfg.Client.Templates().Get(c, name)
	if errors.Is(err, quixand.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if t.Labels[buildLabel] != c.key.ID {
		return &quixand.Error{Kind: quixand.ErrPermission, Err: fmt.Errorf("there is a template %s that is not this key's", name)}
	}
	return nil
}

// buildFiles tells whether the files of a COPY are there, and where to send
// them.
func (s *Server) buildFiles(c *call) error {
	hash := c.request.PathValue("hash")
	answer := map[string]any{"present": s.uploads.present(c.key.ID, hash)}
	if answer["present"] == false {
		answer["url"] = s.uploads.link(c.request, c.key.ID, hash)
	}
	return c.answer(http.StatusCreated, answer)
}

// startBuild builds in the background.
func (s *Server) startBuild(c *call) error {
	x, err := s.builds.find(c)
	if err != nil {
		return err
	}
	req := &buildRequest{}
	if err := c.read(req); err != nil {
		return err
	}
	if req.FromImageRegistry != nil {
		return &quixand.Error{Kind: quixand.ErrUnsupported, Err: errors.New("credentials for a registry are not taken: let the host log in there")}
	}
	from, err := s.buildFrom(c, req)
	if err != nil {
		return err
	}
	recipe, err := req.recipe(from)
	if err != nil {
		return err
	}
	if _, err := recipe.Containerfile(); err != nil {
		return &quixand.Error{Kind: quixand.ErrInvalid, Err: err}
	}
	if !x.start() {
		return &quixand.Error{Kind: quixand.ErrConflict, Err: errors.New("the build has begun before")}
	}
	opts := &quixand.BuildOptions{
		Name: x.template, Recipe: recipe, NoCache: req.Force, Labels: map[string]string{buildLabel: x.key, templates.LabelSudo: "true"},
		Progress: x.progress,
	}
	s.builds.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(s.builds.life, buildTimeout)
		defer cancel()
		err := s.build(ctx, x, req, opts)
		s.meters.builds.WithLabelValues(outcome(err)).Inc()
		x.conclude(err)
	})
	return c.answer(http.StatusAccepted, struct{}{})
}

// buildFrom is the image that a build begins with.
func (s *Server) buildFrom(c *call, req *buildRequest) (string, error) {
	if req.FromTemplate == "" == (req.FromImage == "") {
		return "", badRequest("a template begins with either fromImage or fromTemplate")
	}
	if req.FromImage != "" {
		return req.FromImage, checkBase(req.FromImage)
	}
	if err := s.stock.await(c, req.FromTemplate); err != nil {
		return "", err
	}
	t, err := s.template(c, req.FromTemplate)
	if errors.Is(err, quixand.ErrNotFound) && slices.Contains(ownTemplates, req.FromTemplate) {
		return s.cfg.Client.Image(), nil
	}
	if err != nil {
		return "", err
	}
	return t.Image, nil
}

// checkBase refuses the images that templates and snapshots are kept in: they may
// be another key's.
func checkBase(image string) error {
	name := strings.TrimPrefix(strings.ToLower(image), "localhost/")
	if strings.HasPrefix(name, "quixand/") || strings.ContainsAny(name, " \t\r\n") || strings.HasPrefix(name, "-") {
		return badRequest(fmt.Sprintf("%.100q is no image to begin with: use fromTemplate for templates", image))
	}
	return nil
}

// build gathers the files and has the library build, a few at a time.
func (s *Server) build(ctx context.Context, x *build, req *buildRequest, opts *quixand.BuildOptions) error {
	select {
	case s.builds.slots <- struct{}{}:
		defer func() { <-s.builds.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	dir, remove, err := s.uploads.spool.tempDir(ctx)
	if err != nil {
		return err
	}
	defer remove()
	room := int64(maxUpload)
	for i, step := range req.Steps {
		if step.Type != "COPY" {
			continue
		}
		if err := s.uploads.unpack(ctx, x.key, step.FilesHash, filepath.Join(dir, copyDir(i+1)), &room); err != nil {
			return err
		}
	}
	_, err = s.cfg.Client.Templates().Build(ctx, dir, opts)
	return err
}

func (b *build) progress(e quixand.BuildEvent) {
	switch {
	case e.Step != 0 && e.Cached:
		b.say("info", fmt.Sprintf("[%d/%d] %s (cached)", e.Step, e.Steps, e.Instruction))
	case e.Step != 0:
		b.say("info", fmt.Sprintf("[%d/%d] %s", e.Step, e.Steps, e.Instruction))
	case e.Output != "":
		b.say("info", e.Output)
	}
}

// conclude says how the build has ended.
func (b *build) conclude(err error) {
	if err == nil {
		b.become(buildReady, nil)
		return
	}
	reason := &buildReason{Message: textOf(err)}
	if failed, ok := errors.AsType[*quixand.BuildError](err); ok {
		reason.Message = strings.Join(append([]string{failed.Error()}, failed.Output...), "\n")
		if failed.Line > 1 { // the first is FROM, and each step is a line
			reason.Step = strconv.Itoa(failed.Line - 1)
		}
	}
	b.say("error", reason.Message)
	b.become(buildFailed, reason)
}

// buildStatus tells of a build what the client has not heard yet.
func (s *Server) buildStatus(c *call) error {
	x, err := s.builds.find(c)
	if err != nil {
		return err
	}
	offset, err := number(c.request.URL.Query().Get("logsOffset"), 0)
	if err != nil || offset < 0 {
		return badRequest("logsOffset is no number")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	entries := append([]buildLine{}, x.log[min(int(offset), len(x.log)):]...)
	lines := make([]string, len(entries))
	for i, e := range entries {
		lines[i] = e.Message
	}
	return c.answer(http.StatusOK, struct {
		TemplateID string       `json:"templateID"`
		BuildID    string       `json:"buildID"`
		Status     buildState   `json:"status"`
		Logs       []string     `json:"logs"`
		Entries    []buildLine  `json:"logEntries"`
		Reason     *buildReason `json:"reason,omitempty"`
	}{x.template, x.id, x.state, lines, entries, x.reason})
}
