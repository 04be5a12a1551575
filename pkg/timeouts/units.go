package timeouts

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// unit is a transient unit.
type unit struct {
	name       string
	properties []systemd.Property
}

// units are a timer and the service that it starts.
type units struct{ timer, service unit }

// reapBudget bounds one look at a sandbox, engine and all.
const reapBudget = 2 * time.Minute

// units describes one look. Both names are their own: the one that arms the
// next look is itself such a service, and still there.
func (s *Systemd) units(id string, after time.Duration, note Note) units {
	name := s.prefix + id + "-" + strings.ToLower(rand.Text()[:8])
	what := "Timeout of Quixand sandbox " + id + " of " + s.where
	return units{
		timer: unit{name + ".timer", []systemd.Property{
			systemd.PropDescription(what),
			property("TimersMonotonic", []monotonic{{"OnActiveSec", microseconds(after)}}),
			// The default is a minute.
			property("AccuracyUSec", microseconds(time.Millisecond)),
			property("RemainAfterElapse", false),
		}},
		service: unit{name + ".service", []systemd.Property{
			systemd.PropDescription(what),
			systemd.PropType("oneshot"),
			property("Environment", s.env),
			systemd.PropExecStart(s.command(id, note), false),
			property("TimeoutStartUSec", microseconds(reapBudget)),
			// What Podman's own CLI may have to start for the user (its pause
			// process) is for others, too.
			property("KillMode", "process"),
			// One that failed is nothing to keep, either.
			property("CollectMode", "inactive-or-failed"),
		}},
	}
}

// command has nothing in it in which systemd could find a variable or a
// specifier to expand; the program's path is no argument.
func (s *Systemd) command(id string, note Note) []string {
	argv := []string{s.qs, "sandbox", "reap"}
	if note.Idle != 0 {
		argv = append(argv, "--idle="+strconv.FormatInt(int64(note.Idle), 10))
	}
	if note.SilentSince != 0 {
		argv = append(argv, "--silent-since="+strconv.FormatInt(int64(note.SilentSince), 10))
	}
	return append(argv, "--", id)
}

// monotonic is one of a timer's TimersMonotonic.
type monotonic struct {
	Base  string
	Value uint64
}

func microseconds(d time.Duration) uint64 { return uint64(max(d, time.Microsecond).Microseconds()) }

func property(name string, value any) systemd.Property {
	return systemd.Property{Name: name, Value: dbus.MakeVariant(value)}
}
