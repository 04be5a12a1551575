package local

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// A creation whose answer never came may have happened all the same.
func TestCreateRemovesWhatItNeverSaw(t *testing.T) {
	d, a := newDouble(t)
	spec := specOf(a)
	d.create = func(ctx context.Context, c *Spec) (string, error) {
		d.containers = []Container{{ID: "late", Name: c.Name, Labels: c.Labels}}
		<-ctx.Done()
		return "", &NoAnswer{context.Cause(ctx)}
	}
	spec.Budgets.Create = 20 * time.Millisecond
	_, err := a.Create(t.Context(), spec)
	if e, ok := errors.AsType[*adapters.Error](err); !ok || e.Kind != adapters.ErrTimeout || e.Phase != adapters.PhaseCreate {
		t.Errorf("%v is of kind %v", err, adapters.KindOf(err))
	}
	if !slices.Equal(d.removed, []string{"late"}) {
		t.Errorf("removed: %v", d.removed)
	}
	checkNothingLeft(t, a)
}

// A creation whose directory is deleted under it is not taken for one that died.
func TestSweepSparesWhatIsInTheMaking(t *testing.T) {
	d, a := newDouble(t)
	d.create = func(ctx context.Context, c *Spec) (string, error) {
		d.containers = []Container{{ID: "young", Name: c.Name, Labels: c.Labels, State: adapters.StateCreating}}
		if err := os.RemoveAll(a.dirs.Path()); err != nil {
			t.Error(err)
		}
		infos, err := a.List(ctx, adapters.Filter{Root: a.root})
		if err != nil || len(infos) != 1 || len(d.removed) > 0 {
			t.Errorf("list: %v, %v; removed: %v", infos, err, d.removed)
		}
		return "young", errors.New("enough")
	}
	if _, err := a.Create(t.Context(), specOf(a)); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("Create: %v", err)
	}
	if !slices.Equal(d.removed, []string{"young"}) {
		t.Errorf("removed: %v", d.removed)
	}
}
