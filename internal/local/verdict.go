package local

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/tombstone"
	"github.com/quixand/quixand/pkg/adapters"
)

// evidence is all that can be found out about a sandbox that is dead. Any part
// may be missing.
type evidence struct {
	birth  *tombstone.Birth
	end    *agentapi.End // the agent's own word
	engine engineWord
	log    string // what the agent had to say, when it had no time for an end

	boot, session string // of the host now
	kills         *int64 // as a Birth's, now
}

// engineWord is what the engine tells of a container's end.
type engineWord struct {
	died     time.Time // zero: it does not know
	exit     *int
	told     bool // it was told to kill the container, not by us
	noMemory bool // something in it was killed for want of memory, its first process or another
}

// exitKilled is the exit code of a process that SIGKILL has ended.
const exitKilled = 128 + int(unix.SIGKILL)

// verdict says why a sandbox has ended. The word of the agent counts where it
// ended itself; a sandbox that forges it deceives its owner about nothing but
// its own end.
func (ev *evidence) verdict(e *adapters.Ended) {
	e.ExitCode = ev.engine.exit
	ev.date(e)
	switch {
	case ev.end != nil && ev.endedItself(e):
	case ev.engine.told:
		e.Reason, e.Detail = adapters.ReasonEngine, "killed by means of the engine"
	case ev.restarted():
		e.Reason = adapters.ReasonHost
	case ev.end != nil && ev.end.Reason == agentapi.EndStopped:
		e.Reason, e.Detail = adapters.ReasonEngine, "stopped from outside, as podman rm and podman stop do"
	case ev.engine.exit != nil:
		ev.judgeExit(e)
	default:
		e.Reason = adapters.ReasonUnknown
	}
	e.Limit = ev.limit(e.Reason)
	if e.Output == "" {
		e.Output = ev.log
	}
}

// date tells when it was. An agent's clock is the host's, but its word is not.
func (ev *evidence) date(e *adapters.Ended) {
	now := e.Time
	if !ev.engine.died.IsZero() {
		e.Time = ev.engine.died
	} else if ev.end != nil {
		e.Time = ev.end.Time
	}
	if e.Time.After(now) || e.Time.Before(e.Created) {
		e.Time = now
	}
}

// ownEnds are the reasons in which an agent is believed.
var ownEnds = map[string]adapters.Reason{
	agentapi.EndIdle:      adapters.ReasonIdle,
	agentapi.EndLifetime:  adapters.ReasonLifetime,
	agentapi.EndAbandoned: adapters.ReasonAbandoned,
	agentapi.EndMemory:    adapters.ReasonMemory,
	agentapi.EndFailed:    adapters.ReasonExited,
}

func (ev *evidence) endedItself(e *adapters.Ended) bool {
	e.Output = ev.end.Output
	reason, ok := ownEnds[ev.end.Reason]
	if ok {
		e.Reason, e.Detail = reason, ev.end.Detail
		if e.ExitCode == nil {
			e.ExitCode = &ev.end.ExitCode
		}
	}
	return ok
}

// restarted reports whether the host or the user's session is another one than
// that in which the sandbox was created.
func (ev *evidence) restarted() bool {
	b := ev.birth
	return b != nil && (b.Boot != ev.boot || b.Session != ev.session)
}

// judgeExit is for an agent that was not able to say why.
func (ev *evidence) judgeExit(e *adapters.Ended) {
	e.Reason = adapters.ReasonExited
	switch code := *ev.engine.exit; code {
	case agentapi.ExitDeadline:
		e.Reason = ev.deadline(e.Time)
	case exitKilled:
		e.Reason, e.Detail = ev.judgeKill()
	default:
		e.Detail = fmt.Sprintf("its first process ended with exit code %d", code)
	}
}

// judgeKill tells apart those who can kill a sandbox's first process. The kernel
// does it for want of memory when it is the largest or the last that is left, and
// the engine, which is about to remove the container, seldom knows any more.
func (ev *evidence) judgeKill() (adapters.Reason, string) {
	const bySignal = "its first process was killed by a signal from outside"
	switch {
	case ev.engine.noMemory:
		return adapters.ReasonMemory, ""
	case ev.birth == nil || ev.birth.MemoryBytes == 0:
		return adapters.ReasonExited, bySignal
	case ev.birth.MemoryKills == nil || ev.kills == nil:
		return adapters.ReasonExited, bySignal + ", or for want of memory"
	case *ev.kills > *ev.birth.MemoryKills:
		return adapters.ReasonMemory, ""
	}
	return adapters.ReasonExited, bySignal
}

// deadline finds out which of an agent's deadlines has passed.
func (ev *evidence) deadline(at time.Time) adapters.Reason {
	if b := ev.birth; b != nil && b.Lifetime > 0 && at.Sub(b.Created) >= b.Lifetime {
		return adapters.ReasonLifetime
	}
	return adapters.ReasonIdle
}

// limit names the limit that was hit.
func (ev *evidence) limit(reason adapters.Reason) string {
	if ev.birth == nil {
		return ""
	}
	return limitOf(reason, ev.birth)
}

func limitOf(reason adapters.Reason, b *tombstone.Birth) string {
	switch {
	case reason == adapters.ReasonIdle && b.IdleTimeout > 0:
		return "idle timeout " + b.IdleTimeout.String()
	case reason == adapters.ReasonLifetime && b.Lifetime > 0:
		return "lifetime " + b.Lifetime.String()
	case reason == adapters.ReasonMemory && b.MemoryBytes > 0:
		return fmt.Sprintf("memory %d bytes", b.MemoryBytes)
	}
	return ""
}
