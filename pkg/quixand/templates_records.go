package quixand

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/quixand/quixand/internal/buildlog"
)

// Labels of a template's image that tell how it was built. When it was ready, or
// its last step, is in the image itself.
const (
	templateLabelBegan  = "quixand.template.began" // RFC 3339
	templateLabelEngine = "quixand.template.engine"
)

// BuildRecord is how a template was built, or was not.
type BuildRecord struct {
	Hash   string        `json:"hash"`
	Began  time.Time     `json:"began"`
	Took   time.Duration `json:"took"`
	Engine string        `json:"engine"`          // the adapter's name; empty for an image of another origin
	Error  string        `json:"error,omitempty"` // why it failed
	// Log is what the build said, at most its last 200 lines: the words of the
	// recipe's commands. It is empty where it is no longer known.
	Log []string `json:"log,omitempty"`
}

// Builds tells how a template was built: its latest builds, the latest first,
// as far as their images are there or they have failed. What images tell of
// themselves is enough for all but the logs and the failures, which are kept
// below the Quixand root.
func (t *Templates) Builds(ctx context.Context, name string) ([]*BuildRecord, error) {
	records, err := t.builds(ctx, name)
	if err == nil && len(records) == 0 {
		err = t.unknown(ctx, name)
	}
	return records, t.wrap("get builds", err)
}

func (t *Templates) builds(ctx context.Context, name string) ([]*BuildRecord, error) {
	if err := checkTemplateName(name); err != nil {
		return nil, err
	}
	all, err := t.list(ctx)
	if err != nil {
		return nil, err
	}
	kept := t.records().Read(name)
	var records []*BuildRecord
	for _, b := range all {
		if b.Name != name {
			continue
		}
		// A list tells times by the second.
		exact, err := t.find(ctx, name+":"+b.Hash)
		if gone(err) != nil {
			return nil, err
		}
		if err == nil {
			records = append(records, recordOf(exact, kept))
		}
	}
	for _, k := range kept {
		if k.Error != "" {
			records = append(records, &BuildRecord{k.Hash, k.Began, k.Took, k.Engine, k.Error, k.Log})
		}
	}
	slices.SortStableFunc(records, func(x, y *BuildRecord) int { return y.Began.Compare(x.Began) })
	return records, nil
}

// recordOf reads the labels, and finds the log.
func recordOf(t *Template, kept []*buildlog.Record) *BuildRecord {
	r := &BuildRecord{Hash: t.Hash, Began: t.Created, Engine: t.Labels[templateLabelEngine]}
	if began, err := time.Parse(time.RFC3339Nano, t.Labels[templateLabelBegan]); err == nil {
		// An image whose steps were all there can be older than its build.
		r.Began, r.Took = began, max(0, t.Created.Sub(began))
	}
	for _, k := range kept {
		if k.Hash == r.Hash && k.Began.Equal(r.Began) {
			r.Log, r.Took = k.Log, cmp.Or(r.Took, k.Took)
		}
	}
	return r
}

func (t *Templates) records() *buildlog.Store {
	return buildlog.Open(filepath.Join(t.client.cfg.Root, "templates"))
}

// remember keeps what is known of a build that is over. A record is worth less
// than the build: that it cannot be kept is no failure.
func (b *building) remember(err error) {
	b.record.Took = time.Since(b.record.Began)
	if err != nil {
		b.record.Error = err.Error()
	}
	if err := b.Templates.records().Save(b.name, &b.record); err != nil {
		b.client.cfg.Logger.Debug("record of a build", "template", b.name, "error", err)
	}
}
