package agentapi

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Duration is a time.Duration that travels as whole milliseconds.
type Duration time.Duration

// MarshalJSON writes milliseconds, rounded up so that no timeout shrinks to
// zero.
func (d Duration) MarshalJSON() ([]byte, error) {
	ms := int64(math.Ceil(float64(d) / float64(time.Millisecond)))
	return json.Marshal(ms)
}

// UnmarshalJSON refuses what does not fit a time.Duration.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var ms int64
	if err := json.Unmarshal(b, &ms); err != nil {
		return err
	}
	if ms > math.MaxInt64/int64(time.Millisecond) || ms < math.MinInt64/int64(time.Millisecond) {
		return fmt.Errorf("duration of %d ms is out of range", ms)
	}
	*d = Duration(time.Duration(ms) * time.Millisecond)
	return nil
}
