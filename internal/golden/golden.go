// Package golden compares what a test got with what is kept in a file.
package golden

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Check compares a value with testdata/NAME.json, which it writes anew when the
// environment has QS_TEST_UPDATE.
func Check(t *testing.T, name string, value any) {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got, golden := string(text)+"\n", filepath.Join("testdata", name+".json")
	if os.Getenv("QS_TEST_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (write it anew with QS_TEST_UPDATE=1):\n%s", golden, got)
	}
}
