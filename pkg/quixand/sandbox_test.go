package quixand_test

import (
	"testing"

	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/pkg/quixand"
)

// newClient returns a client of an engine that ends with the test.
func newClient(t testing.TB) *quixand.Client {
	t.Helper()
	engine := fake.NewEngine()
	t.Cleanup(func() { engine.Close() })
	c, err := quixand.New(&quixand.Config{Adapter: fake.Name, Registry: engine.Registry(), Root: t.TempDir()})
	must(t, err)
	return c
}

func newSandbox(t testing.TB) *quixand.Sandbox {
	t.Helper()
	sb, err := newClient(t).Create(t.Context(), nil)
	must(t, err)
	return sb
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
