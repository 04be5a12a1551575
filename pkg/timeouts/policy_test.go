package timeouts

import (
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	const (
		s     = time.Second
		never = -1
	)
	usual := Policy{Idle: 300 * s, Lifetime: never}
	bounded := Policy{Idle: 300 * s, Lifetime: 1000 * s}
	for _, c := range []struct {
		name   string
		policy Policy
		view   View
		want   Verdict
	}{
		{"busy", usual, View{Age: 9000 * s, Agent: &Report{300 * s, 0}}, Verdict{Leave, 300 * s}},
		{"idle for a while", usual, View{Age: 9000 * s, Agent: &Report{300 * s, 100 * s}}, Verdict{Leave, 200 * s}},
		{"idle", usual, View{Age: 9000 * s, Agent: &Report{300 * s, 300 * s}}, Verdict{Expire, never}},
		{"idle for less than a longer timeout of later", usual, View{Agent: &Report{900 * s, 300 * s}}, Verdict{Leave, 600 * s}},
		{"timeout taken away later", usual, View{Agent: &Report{never, 9000 * s}}, Verdict{Leave, never}},
		{"timeout given later", Policy{Idle: never, Lifetime: never}, View{Agent: &Report{5 * s, 5 * s}}, Verdict{Expire, never}},
		{"idle, to be paused", Policy{Idle: 300 * s, Lifetime: 1000 * s, Pause: true}, View{Age: 400 * s, Agent: &Report{300 * s, 301 * s}}, Verdict{Pause, 300 * s}},
		{"paused", usual, View{Age: 9000 * s, Paused: true}, Verdict{Leave, 300 * s}},
		{"paused with a short timeout", Policy{Idle: s, Lifetime: never}, View{Age: 9000 * s, Paused: true}, Verdict{Leave, leastSilence}},
		{"paused without a timeout", Policy{Idle: never, Lifetime: never}, View{Age: 9000 * s, Paused: true}, Verdict{Leave, never}},
		{"paused before the end of its lifetime", bounded, View{Age: 800 * s, Paused: true}, Verdict{Leave, 200 * s}},
		{"paused at the end of its lifetime", bounded, View{Age: 1000 * s, Paused: true}, Verdict{EndLifetime, never}},
		{"busy at the end of its lifetime", bounded, View{Age: 1000 * s, Agent: &Report{300 * s, 0}}, Verdict{EndLifetime, never}},
		{"busy shortly before it", bounded, View{Age: 999 * s, Agent: &Report{300 * s, 0}}, Verdict{Leave, s}},
		{"silent", usual, View{Age: 9000 * s}, Verdict{Leave, 300 * s}},
		{"silent for a while", usual, View{Age: 9000 * s, Silent: 299 * s}, Verdict{Leave, s}},
		{"silent for too long", usual, View{Age: 9000 * s, Silent: 300 * s}, Verdict{End, never}},
		{"silent for a moment, with a short timeout", Policy{Idle: s, Lifetime: never}, View{Silent: 2 * s}, Verdict{Leave, 8 * s}},
		{"silent without a timeout", Policy{Idle: never, Lifetime: never}, View{Silent: 9000 * s}, Verdict{Leave, never}},
		{"silent at the end of its lifetime", bounded, View{Age: 1001 * s}, Verdict{EndLifetime, never}},
	} {
		if got := c.policy.Judge(c.view); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestFirst(t *testing.T) {
	for _, c := range []struct{ idle, lifetime, want time.Duration }{
		{300, -1, 300}, {300, 100, 100}, {100, 300, 100}, {-1, 300, 300}, {-1, -1, -1},
	} {
		if got := (Policy{Idle: c.idle, Lifetime: c.lifetime}).First(); got != c.want {
			t.Errorf("idle %d, lifetime %d: %d, want %d", c.idle, c.lifetime, got, c.want)
		}
	}
}
