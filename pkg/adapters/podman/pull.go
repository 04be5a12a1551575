package podman

import (
	"bytes"
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
func followPull(reports io.Reader, out io.Writer) error {
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
			io.WriteString(out, report.Stream)
		}
	}
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
