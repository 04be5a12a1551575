package bootclock

import (
	"testing"
	"time"
)

func TestMarkSurvivesBeingWrittenDown(t *testing.T) {
	before := Now()
	m, err := Parse(before.String())
	if err != nil || m != before {
		t.Fatalf("%v became %v, %v", before, m, err)
	}
	if age := Since(m); age < 0 || age > time.Minute {
		t.Errorf("it was %v ago", age)
	}
	if m.Ended() {
		t.Error("this boot has ended")
	}
}

func TestMarkOfAnotherBoot(t *testing.T) {
	m := Mark{"0c8d", 1 << 62}
	if !m.Ended() {
		t.Error("another boot has not ended")
	}
	if age, up := Since(m), Now().At; age <= 0 || age > up {
		t.Errorf("it was %v ago, %v after the boot", age, up)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", " ", "boot", "boot ", " 5", "boot -1", "boot 1.5", "boot 1 2", "boot 99999999999999999999"} {
		if m, err := Parse(s); err == nil {
			t.Errorf("%q was read as %v", s, m)
		}
	}
}
