package local

import (
	"testing"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/tombstone"
	"github.com/quixand/quixand/pkg/adapters"
)

func TestVerdict(t *testing.T) {
	created := time.Now().Add(-time.Hour)
	birth := func(change func(*tombstone.Birth)) *tombstone.Birth {
		b := &tombstone.Birth{
			ID: "abc123", Created: created, Boot: "this boot", Session: "this session",
			IdleTimeout: 5 * time.Minute, Lifetime: adapters.NoTimeout,
		}
		if change != nil {
			change(b)
		}
		return b
	}
	elsewhen := func(b *tombstone.Birth) { b.Boot = "another boot" }
	said := func(reason, detail string) *agentapi.End {
		return &agentapi.End{Reason: reason, Detail: detail, Time: created.Add(time.Minute), ExitCode: 124, Output: "last words"}
	}
	exit := func(code int) engineWord { return engineWord{died: created.Add(time.Minute), exit: &code} }
	told := exit(137)
	told.told = true
	starved := exit(137)
	starved.noMemory = true
	starvedOnce := exit(2)
	starvedOnce.noMemory = true
	limited := birth(func(b *tombstone.Birth) { b.MemoryBytes = 64 << 20 })
	counted := birth(func(b *tombstone.Birth) { b.MemoryBytes, b.MemoryKills = 64<<20, new(int64(7)) })

	for _, c := range []struct {
		name          string
		ev            evidence
		reason        adapters.Reason
		detail, limit string
	}{
		{"idle", evidence{birth: birth(nil), end: said("idle", "idle for 5m0s")}, adapters.ReasonIdle, "idle for 5m0s", "idle timeout 5m0s"},
		{"idle, and nothing else is left", evidence{end: said("idle", "idle for 5m0s")}, adapters.ReasonIdle, "idle for 5m0s", ""},
		{"lifetime", evidence{birth: birth(func(b *tombstone.Birth) { b.Lifetime = time.Hour }), end: said("lifetime", "d")}, adapters.ReasonLifetime, "d", "lifetime 1h0m0s"},
		{"abandoned", evidence{birth: birth(nil), end: said("abandoned", "d")}, adapters.ReasonAbandoned, "d", ""},
		{"an error of the agent's", evidence{end: said("failed", "serve: broken")}, adapters.ReasonExited, "serve: broken", ""},
		{"out of memory, by the agent", evidence{birth: limited, end: said("memory", "")}, adapters.ReasonMemory, "", "memory 67108864 bytes"},
		{"out of memory, by the engine", evidence{birth: limited, engine: starved}, adapters.ReasonMemory, "", "memory 67108864 bytes"},
		{"out of memory, by the kernel", evidence{birth: counted, engine: exit(137), kills: new(int64(8))}, adapters.ReasonMemory, "", "memory 67108864 bytes"},
		{"SIGKILL with a limit that was not hit", evidence{birth: counted, engine: exit(137), kills: new(int64(7))}, adapters.ReasonExited, "its first process was killed by a signal from outside", ""},
		{"crash after a command was out of memory", evidence{birth: limited, engine: starvedOnce}, adapters.ReasonExited, "its first process ended with exit code 2", ""},
		{"podman rm", evidence{birth: birth(nil), end: said("stopped", ""), engine: exit(0)}, adapters.ReasonEngine, "stopped from outside, as podman rm and podman stop do", ""},
		{"podman kill", evidence{birth: birth(nil), engine: told}, adapters.ReasonEngine, "killed by means of the engine", ""},
		{"podman kill --signal TERM", evidence{end: said("stopped", ""), engine: told}, adapters.ReasonEngine, "killed by means of the engine", ""},
		{"shutdown", evidence{birth: birth(elsewhen), end: said("stopped", "")}, adapters.ReasonHost, "", ""},
		{"power cut", evidence{birth: birth(elsewhen)}, adapters.ReasonHost, "", ""},
		{"logout", evidence{birth: birth(func(b *tombstone.Birth) { b.Session = "another" })}, adapters.ReasonHost, "", ""},
		{"idle before a restart", evidence{birth: birth(elsewhen), end: said("idle", "d")}, adapters.ReasonIdle, "d", "idle timeout 5m0s"},
		{"SIGKILL", evidence{birth: birth(nil), engine: exit(137)}, adapters.ReasonExited, "its first process was killed by a signal from outside", ""},
		{"SIGKILL with a limit", evidence{birth: limited, engine: exit(137)}, adapters.ReasonExited, "its first process was killed by a signal from outside, or for want of memory", ""},
		{"crash", evidence{birth: birth(nil), engine: exit(2)}, adapters.ReasonExited, "its first process ended with exit code 2", ""},
		{"idle, but the word was lost", evidence{birth: birth(nil), engine: exit(124)}, adapters.ReasonIdle, "", "idle timeout 5m0s"},
		{"lifetime, but the word was lost", evidence{birth: birth(func(b *tombstone.Birth) { b.Lifetime = time.Minute }), engine: exit(124)}, adapters.ReasonLifetime, "", "lifetime 1m0s"},
		{"nothing is known", evidence{birth: birth(nil)}, adapters.ReasonUnknown, "", ""},
		// Nobody in a sandbox can speak for those outside.
		{"a forged end", evidence{end: said("killed", "by you"), engine: exit(1)}, adapters.ReasonExited, "its first process ended with exit code 1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.ev.boot, c.ev.session = "this boot", "this session"
			e := &adapters.Ended{ID: "abc123", Created: created, Time: time.Now()}
			c.ev.verdict(e)
			if e.Reason != c.reason || e.Detail != c.detail || e.Limit != c.limit || e.Why() == "" {
				t.Errorf("%+v", e)
			}
			if c.ev.end != nil && e.Output != "last words" {
				t.Errorf("output %q", e.Output)
			}
		})
	}
}

// A sandbox cannot have ended in the future, nor before it began.
func TestVerdictOnTime(t *testing.T) {
	now := time.Now()
	for _, claimed := range []time.Time{now.Add(time.Hour), now.Add(-time.Hour), {}} {
		e := &adapters.Ended{Created: now.Add(-time.Minute), Time: now}
		ev := evidence{end: &agentapi.End{Reason: agentapi.EndIdle, Time: claimed}}
		if ev.verdict(e); !e.Time.Equal(now) {
			t.Errorf("%v is believed", claimed)
		}
	}
}
