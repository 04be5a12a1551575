package podman

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/images"

	"github.com/quixand/quixand/pkg/adapters"
)

// pull fetches the image, its name read as podman reads it.
func (c *creation) pull(ctx context.Context) error {
	return phase(ctx, c.spec, adapters.PhasePull, c.spec.Budgets.Pull, func(ctx context.Context) error {
		out := &progressLines{began: time.Now(), report: c.spec.Progress}
		_, err := images.Pull(ctx, c.spec.Image, new(images.PullOptions).WithPolicy("always").WithProgressWriter(out))
		if err == nil {
			err = ctx.Err()
		}
		return err
	})
}

// progressLines passes what the engine says during a pull on, by the line.
type progressLines struct {
	began  time.Time
	report func(adapters.Progress)
	rest   []byte
}

func (w *progressLines) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		w.rest = rest
		if text := strings.TrimSpace(string(line)); text != "" && w.report != nil {
			w.report(adapters.Progress{Phase: adapters.PhasePull, Message: text, Elapsed: time.Since(w.began)})
		}
	}
}
