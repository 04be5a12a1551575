package fake

import (
	"testing"

	"github.com/quixand/quixand/pkg/adapters"
)

// Link links an engine into the test's program, as importing an adapter would,
// and makes it the one that is used for the length of the test. A program can
// be linked once.
func Link(t *testing.T) {
	t.Helper()
	engine := NewEngine()
	t.Cleanup(func() { engine.Close() })
	adapters.Default.Register(Name, engine.Open)
	t.Setenv("QS_ADAPTER", Name)
	t.Setenv("QS_ROOT", t.TempDir())
}
