package quixand_test

import (
	"os"
	"testing"

	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/pkg/adapters"
)

// TestMain makes the fake the adapter of the package's functions, which the
// examples call.
func TestMain(m *testing.M) {
	engine := fake.NewEngine()
	adapters.Default.Register(fake.Name, engine.Open)
	os.Setenv("QS_ADAPTER", fake.Name)
	os.Setenv("QS_ROOT", os.TempDir()) // nothing is written there
	code := m.Run()
	engine.Close()
	os.Exit(code)
}
