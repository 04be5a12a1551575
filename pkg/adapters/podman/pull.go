package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// pull fetches the image, its name read as podman reads it.
func (c *creation) pull(ctx context.Context) error {
	return phase(ctx, c.spec, adapters.PhasePull, c.spec.Budgets.Pull, func(ctx context.Context) error {
		reports, err := c.conn.pullImage(ctx, c.spec.Image, string(c.spec.Pull))
		if err != nil {
			return err
		}
		defer reports.Close()
		return followPull(reports, &progressLines{began: time.Now(), report: c.spec.Progress})
	})
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
			return &transportError{err}
		case report.Error != "":
			failures = append(failures, errors.New(report.Error))
		default:
			out.add(report.Stream)
		}
	}
}

// progressLines passes what the engine says during a pull on, by the line.
type progressLines struct {
	began  time.Time
	report func(adapters.Progress)
	rest   string
}

func (l *progressLines) add(text string) {
	l.rest += text
	for {
		line, rest, ok := strings.Cut(l.rest, "\n")
		if !ok {
			return
		}
		l.rest = rest
		if line = strings.TrimSpace(line); line != "" && l.report != nil {
			l.report(adapters.Progress{Phase: adapters.PhasePull, Message: line, Elapsed: time.Since(l.began)})
		}
	}
}
