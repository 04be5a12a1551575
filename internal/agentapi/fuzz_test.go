package agentapi

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzDuration reads what either side may send as a number of milliseconds. What
// is taken comes back as it was.
func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"0", "1", "-1", "300000", "9223372036854", "9223372036855", "1e3", "1.5", "null", `"1"`, "-9223372036855"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d, again Duration
		if json.Unmarshal(text, &d) != nil {
			return
		}
		if time.Duration(d)%time.Millisecond != 0 {
			t.Fatalf("%s was read as %d ns", text, d)
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &again); err != nil || again != d {
			t.Fatalf("%s was read as %d, written as %s and read as %d, %v", text, d, b, again, err)
		}
	})
}
