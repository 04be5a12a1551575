package cli

import (
	"reflect"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

func TestDurationValue(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration // 0: an error
	}{
		{"90s", 90 * time.Second},
		{"1h30m", 90 * time.Minute},
		{"300", 300 * time.Second},
		{"0.5", 500 * time.Millisecond},
		{"never", quixand.NoTimeout},
		{"none", quixand.NoTimeout},
		{"", 0},
		{"0", 0},
		{"0s", 0},
		{"-5m", 0},
		{"-1", 0},
		{"5 minutes", 0},
		{"NaN", 0},
		{"Inf", 0},
		{"1e300", 0},
		{"9999999999999h", 0},
	} {
		var d time.Duration
		err := durationValue{d: &d, never: true}.Set(c.in)
		if (err != nil) != (c.want == 0) || d != c.want {
			t.Errorf("Set(%q): %v, %v; want %v", c.in, d, err, c.want)
		}
	}
	var d time.Duration
	if err := (durationValue{d: &d}).Set("never"); err == nil {
		t.Error("never was accepted where it is not")
	}
}

func TestBytesValue(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int64 // 0: an error
	}{
		{"1024", 1024},
		{"512m", 512 << 20},
		{"512M", 512 << 20},
		{"512MiB", 512 << 20},
		{"2g", 2 << 30},
		{"64k", 64 << 10},
		{"64b", 64},
		{"1t", 1 << 40},
		{"", 0},
		{"m", 0},
		{"0", 0},
		{"-1m", 0},
		{"1.5g", 0},
		{"1x", 0},
		{"9223372036854775807k", 0},
	} {
		var v bytesValue
		if err := v.Set(c.in); (err != nil) != (c.want == 0) || int64(v) != c.want {
			t.Errorf("Set(%q): %d, %v; want %d", c.in, v, err, c.want)
		}
	}
}

func TestPublishValue(t *testing.T) {
	for _, c := range []struct {
		in   string
		want quixand.PortMapping // zero: an error
	}{
		{"8000", quixand.PortMapping{Port: 8000}},
		{"8080:8000", quixand.PortMapping{Port: 8000, HostPort: 8080}},
		{":8000", quixand.PortMapping{Port: 8000}},
		{"", quixand.PortMapping{}},
		{"8080:", quixand.PortMapping{}},
		{"0", quixand.PortMapping{}},
		{"65536", quixand.PortMapping{}},
		{"-1", quixand.PortMapping{}},
		{"0.0.0.0:80:80", quixand.PortMapping{}},
	} {
		var got []quixand.PortMapping
		err := publishValue{&got}.Set(c.in)
		var want []quixand.PortMapping
		if c.want.Port != 0 {
			want = append(want, c.want)
		}
		if (err != nil) != (want == nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("Set(%q): %v, %v; want %v", c.in, got, err, want)
		}
	}
}

func TestPairsValue(t *testing.T) {
	var pairs map[string]string
	v := pairsValue{pairs: &pairs, lookup: func(name string) string { return "value of " + name }}
	for _, in := range []string{"A=1", "B=x=y", "C=", "HOME"} {
		if err := v.Set(in); err != nil {
			t.Errorf("Set(%q): %v", in, err)
		}
	}
	want := map[string]string{"A": "1", "B": "x=y", "C": "", "HOME": "value of HOME"}
	if !reflect.DeepEqual(pairs, want) {
		t.Errorf("got %v, want %v", pairs, want)
	}
	if err := v.Set("=x"); err == nil {
		t.Error("an empty key was accepted")
	}
	v.lookup = nil
	if err := v.Set("HOME"); err == nil {
		t.Error("a key without a value was accepted")
	}
}
