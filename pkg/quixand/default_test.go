package quixand

import (
	"errors"
	"testing"

	"github.com/quixand/quixand/internal/fake"
)

// TestPackageFunctions uses the client that the environment configures. A
// configuration that fails is tried again when it may have become right.
func TestPackageFunctions(t *testing.T) {
	ctx := t.Context()
	shared.client = nil
	t.Setenv("QS_ADAPTER", "nonsense")
	t.Setenv("QS_ROOT", t.TempDir())
	for name, call := range map[string]func() error{
		"Create":  func() error { _, err := Create(ctx, nil); return err },
		"Connect": func() error { _, err := Connect(ctx, "x"); return err },
		"List":    func() error { _, err := List(ctx, nil); return err },
		"Kill":    func() error { return Kill(ctx, "x") },
	} {
		if err := call(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Setenv("QS_ADAPTER", fake.Name)
	sb, err := Create(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(ctx, sb.ID()); err != nil {
		t.Error(err)
	}
	if infos, err := List(ctx, nil); err != nil || len(infos) != 1 {
		t.Errorf("List: %v, %v", infos, err)
	}
	if err := Kill(ctx, sb.ID()); err != nil {
		t.Error(err)
	}
	shared.client = nil
}
