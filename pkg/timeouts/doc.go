// Package timeouts ends sandboxes when their time is up: the policy, which says
// what is to happen and when to look again, and the enforcers, which see to it
// that somebody looks.
//
// It does not look itself. Whoever uses an [Enforcer] finds out how a sandbox is
// ([View]), asks the [Policy] for its [Verdict], carries that out, and arms the
// enforcer for the next look.
//
// # Policy
//
// A sandbox has an idle timeout and may have a lifetime. Work in flight is
// activity: a command, a transfer, an open connection. The sandbox's agent is
// believed about that, because it alone knows; it gains nothing by a lie that a
// busy loop would not give it. The lifetime is the host's own business, from what
// the engine's labels say, and ends a sandbox in whatever state. A paused sandbox
// is not idle, but ages. An agent that does not answer is no proof of idleness:
// only silence that lasts for the whole idle timeout is taken for it.
//
// # Enforcers
//
// There are three, each of which is enough:
//
//   - agent: the sandbox's own first process ends itself, although everything on
//     the host that knew of it may be dead. It is no [Enforcer] of this package.
//   - systemd ([Systemd]): transient timers of the user's systemd start
//     `qs sandbox reap`, also when the creator is dead. They end a sandbox whose
//     agent hangs or lies about its lifetime.
//   - process ([Process]): timers in the program that created the sandbox, for as
//     long as it lives, where there is no systemd of the user's.
//
// # Clocks
//
// All timeouts are counted on the monotonic clock: by the agent and by programs
// on Go's, by systemd on CLOCK_MONOTONIC, and a sandbox's age by a mark of that
// clock among its labels. A jump of the wall clock changes nothing. Neither does
// a suspended host: the time that it slept does not count, since nobody could
// have used the sandbox then, and a laptop finds its sandboxes in the morning as
// it left them. After a reboot no sandbox runs, whatever its time.
package timeouts
