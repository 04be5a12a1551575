package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

// ownTemplates are the names that E2B's clients ask for who are not told
// otherwise. They are stock templates, and the host's: no client may have a
// template of such a name. What is missing is built when the server starts; until
// then, and where it cannot be built, they mean the server's own image.
var ownTemplates = []string{"base", "code-interpreter-v1"}

// Stock says how the server comes by the templates base and code-interpreter-v1.
type Stock struct {
	// Build has those built that are missing, when the server starts.
	Build bool
	// Base is an image of Debian to begin with; empty is the recipes' own.
	Base string
	// Tell is told what becomes of that; nil tells nobody.
	Tell func(text string)
}

// stockWait bounds the wait for a stock template that is being built: clients
// wait for an answer for a minute.
const stockWait = 45 * time.Second

// stockTemplates knows how far the server's own templates have come.
type stockTemplates struct {
	Stock
	templates *quixand.Templates
	settled   chan struct{} // closed when nothing is going to be built any more

	mu     sync.Mutex
	states map[string]buildState
}

func newStockTemplates(t *quixand.Templates, how Stock) *stockTemplates {
	s := &stockTemplates{
		Stock: how, templates: t, settled: make(chan struct{}),
		states: make(map[string]buildState),
	}
	if s.Tell == nil {
		s.Tell = func(string) {}
	}
	if s.Build {
		for _, name := range ownTemplates {
			s.states[name] = buildWaiting
		}
	}
	return s
}

// build builds what is missing, one after the other: they have steps in common.
func (s *stockTemplates) build(ctx context.Context) {
	defer close(s.settled)
	if !s.Build {
		return
	}
	for _, name := range ownTemplates {
		s.become(name, buildBuilding)
		if s.provide(ctx, name) == nil {
			s.become(name, buildReady)
		} else {
			s.become(name, buildFailed)
		}
	}
}

// provide leaves a template alone that is there, whoever has built it.
func (s *stockTemplates) provide(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	_, err := s.templates.Get(ctx, name)
	if errors.Is(err, quixand.ErrNotFound) {
		err = s.buildOne(ctx, name)
	}
	if err != nil && ctx.Err() == nil {
		s.Tell(fmt.Sprintf("template %s cannot be built, and means the server's own image: %v; try it with: qs templates build --stock %s", name, err, name))
	}
	return err
}

func (s *stockTemplates) become(name string, state buildState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[name] = state
}

func (s *stockTemplates) buildOne(ctx context.Context, name string) error {
	opts := &quixand.BuildOptions{}
	if s.Base != "" {
		opts.Args = map[string]string{"BASE": s.Base}
	}
	s.Tell(fmt.Sprintf("template %s is being built; until then it means the server's own image", name))
	began := time.Now()
	_, err := s.templates.BuildStock(ctx, name, opts)
	if err == nil {
		s.Tell(fmt.Sprintf("template %s was built in %v", name, time.Since(began).Round(time.Second/10)))
	}
	return err
}

// stateOf is empty for a template that is none of these, or that nobody is going
// to build.
func (s *stockTemplates) stateOf(name string) buildState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[name]
}

// all are the states of those that are to be built.
func (s *stockTemplates) all() map[string]buildState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.states)
}

// await waits for one that is being built, for a while.
func (s *stockTemplates) await(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, stockWait)
	defer cancel()
	if state := s.stateOf(name); state != buildWaiting && state != buildBuilding {
		return nil
	}
	select {
	case <-s.settled:
		return nil
	case <-ctx.Done():
		return &quixand.Error{Kind: quixand.ErrUnavailable, Err: fmt.Errorf("the template %s is being built: ask again in a minute", name)}
	}
}
