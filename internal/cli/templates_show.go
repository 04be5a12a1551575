package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/quixand"
)

// shownJSON is what show tells of a template beyond a list.
type shownJSON struct {
	templateJSON
	Builds []buildJSON `json:"builds"`
}

// buildJSON is how a template was built, in the output of --json.
type buildJSON struct {
	Hash    string    `json:"hash"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	Engine  string    `json:"engine"`
	Error   string    `json:"error,omitempty"`
	Log     []string  `json:"log"`
}

func newShownJSON(t *quixand.Template, builds []*quixand.BuildRecord) shownJSON {
	out := shownJSON{newTemplateJSON(t), make([]buildJSON, len(builds))}
	for i, b := range builds {
		out.Builds[i] = buildJSON{b.Hash, b.Began.UTC(), b.Took.Seconds(), b.Engine, b.Error, b.Log}
		if b.Log == nil {
			out.Builds[i].Log = []string{}
		}
	}
	return out
}

// buildOf finds the build that a template is the outcome of.
func buildOf(t *quixand.Template, builds []*quixand.BuildRecord) *quixand.BuildRecord {
	for _, b := range builds {
		if b.Hash == t.Hash && b.Error == "" {
			return b
		}
	}
	return nil
}

// printBuildLog prints what the latest build of a template said, or that of a
// certain build.
func (a *App) printBuildLog(ctx context.Context, t *quixand.Templates, name string) error {
	name, hash, _ := strings.Cut(name, ":")
	builds, err := t.Builds(ctx, name)
	if err != nil {
		return err
	}
	for _, b := range builds {
		if hash != "" && hash != b.Hash {
			continue
		}
		for _, line := range append(b.Log, b.Error) {
			if line == "" {
				continue
			}
			if _, err := fmt.Fprintln(a.Stdout, termsafe.Line(line)); err != nil {
				return err
			}
		}
		return nil
	}
	return &quixand.Error{Kind: quixand.ErrNotFound, Err: fmt.Errorf("template %s has no build %s", name, hash)}
}
