package agentapi

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Duration is a time.Duration that travels as whole milliseconds.
type Duration time.Duration

// MarshalJSON writes milliseconds, rounded away from zero: no timeout shrinks
// to nothing, and "none", which is negative, stays negative.
func (d Duration) MarshalJSON() ([]byte, error) {
	ms := d / Duration(time.Millisecond)
	switch rest := d % Duration(time.Millisecond); {
	case rest > 0:
		ms++
	case rest < 0:
		ms--
	}
	return json.Marshal(int64(ms))
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
