package timeouts

import "time"

// Policy says how long a sandbox may live. Negative durations are none.
type Policy struct {
	Idle     time.Duration // without work in flight
	Lifetime time.Duration // since its creation
	Pause    bool          // it when it is idle, instead of ending it
}

// View is how a sandbox is found.
type View struct {
	Age    time.Duration // since its creation
	Paused bool          // its processes are frozen
	// Agent is what the sandbox's agent says, or nil when it does not answer,
	// as it has not for Silent.
	Agent  *Report
	Silent time.Duration
}

// Report is an agent's word.
type Report struct {
	Idle    time.Duration // the idle timeout as it is now; negative is none
	IdleFor time.Duration // since the last work; zero while there is some
}

// Action is what to do with a sandbox.
type Action int

const (
	Leave Action = iota
	// Expire asks the agent to end the sandbox unless something has begun since
	// it was looked at.
	Expire
	// Pause freezes the sandbox.
	Pause
	// End ends an idle sandbox by the engine's means.
	End
	// EndLifetime ends the sandbox by the engine's means, busy or not.
	EndLifetime
)

// Verdict is what to do with a sandbox, and when to look at it again.
type Verdict struct {
	Action Action
	Next   time.Duration // from now; negative is never
}

// leastSilence keeps a host that is short of breath from ending sandboxes with
// very short timeouts, and from being kept busy by paused ones.
const leastSilence = 10 * time.Second

// NeedsAgent reports whether the agent's word can change the verdict. Asking one
// that hangs takes its time.
func (p Policy) NeedsAgent(v View) bool { return !v.Paused && !p.over(v) }

func (p Policy) over(v View) bool { return p.Lifetime >= 0 && v.Age >= p.Lifetime }

// Judge applies the policy.
func (p Policy) Judge(v View) Verdict {
	if p.over(v) {
		return Verdict{EndLifetime, -1}
	}
	action, next := p.judgeIdle(v)
	if p.Lifetime >= 0 {
		next = Sooner(next, p.Lifetime-v.Age)
	}
	return Verdict{action, next}
}

func (p Policy) judgeIdle(v View) (Action, time.Duration) {
	switch {
	case v.Paused:
		return Leave, p.whilePaused()
	case v.Agent == nil:
		return p.judgeSilent(v.Silent)
	case v.Agent.Idle < 0:
		return Leave, -1
	case v.Agent.IdleFor < v.Agent.Idle:
		return Leave, v.Agent.Idle - v.Agent.IdleFor
	case p.Pause:
		return Pause, p.whilePaused()
	}
	return Expire, -1
}

// whilePaused is when to look at a paused sandbox again, for it may be resumed by
// the engine's means, which nobody is told. Its idle time begins anew then, and
// is not over before the next look.
func (p Policy) whilePaused() time.Duration {
	if p.Idle < 0 {
		return -1
	}
	return max(p.Idle, leastSilence)
}

func (p Policy) judgeSilent(silent time.Duration) (Action, time.Duration) {
	if p.Idle < 0 {
		return Leave, -1
	}
	enough := max(p.Idle, leastSilence)
	if silent >= enough {
		return End, -1
	}
	return Leave, enough - silent
}

// First is when a new sandbox is to be looked at; negative is never.
func (p Policy) First() time.Duration { return Sooner(p.Idle, p.Lifetime) }

// Sooner returns the smaller of two durations of which negative ones are
// never.
func Sooner(a, b time.Duration) time.Duration {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}
