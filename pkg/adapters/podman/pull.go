package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// Pull fetches an image, its name read as podman reads it.
func (e *engine) Pull(ctx context.Context, image string, policy adapters.PullPolicy, say func(string)) error {
	reports, err := e.pullImage(ctx, image, string(policy))
	if err != nil {
		return err
	}
	defer reports.Close()
	return mapError(followPull(reports, &progressLines{say: say}))
}

// followPull reads reports to their end. A pull can fail after its answer has
// begun, and then says so in one of them.
func followPull(reports io.Reader, out *progressLines) error {
	decoder := json.NewDecoder(reports)
	var failures []error
	for {
		var report struct{ Stream, Error string }
		switch err := decoder.Decode(&report); {
		case errors.Is(err, io.EOF):
			return errors.Join(failures...)
		case err != nil:
			return &local.NoAnswer{Err: err}
		case report.Error != "":
			failures = append(failures, errors.New(report.Error))
		default:
			out.add(report.Stream)
		}
	}
}

// progressLines passes what the engine says during a pull on, by the line.
type progressLines struct {
	say  func(line string)
	rest string
}

func (l *progressLines) add(text string) {
	l.rest += text
	for {
		line, rest, ok := strings.Cut(l.rest, "\n")
		if !ok {
			return
		}
		l.rest = rest
		if line = strings.TrimSpace(line); line != "" {
			l.say(line)
		}
	}
}
