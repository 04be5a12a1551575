// Package bootclock reads the clock that all processes of one boot share: the
// kernel's monotonic one. It stands still while the host is suspended and knows
// nothing of jumps of the wall clock, so a process can tell the age of what
// another one has made.
//
// A [Mark] is a moment on it that can be written down. It means nothing after
// a reboot, hence the boot's name in it.
package bootclock

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Mark is a moment of one boot.
type Mark struct {
	Boot string        // which boot, as the kernel names it
	At   time.Duration // since that boot, without the time that the host was suspended
}

// boot reads the name once: it cannot change while this process lives.
var boot = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return string(bytes.TrimSpace(id))
})

// Now is the present moment.
func Now() Mark { return Mark{boot(), uptime()} }

func uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err) // no Linux lacks it
	}
	return time.Duration(now.Nano())
}

// Since returns how long ago m was. For a moment of an earlier boot that is
// at least the time since this one.
func Since(m Mark) time.Duration {
	now := Now()
	if m.Boot != now.Boot {
		return now.At
	}
	return now.At - m.At
}

// Ended reports whether the boot of m is over, and with it every process that
// ran then.
func (m Mark) Ended() bool { return m.Boot != boot() }

// String is the boot's name and the nanoseconds since, as [Parse] reads them.
func (m Mark) String() string { return m.Boot + " " + strconv.FormatInt(int64(m.At), 10) }

// Parse reads what String has written.
func Parse(s string) (Mark, error) {
	name, at, ok := strings.Cut(s, " ")
	ns, err := strconv.ParseInt(at, 10, 64)
	if !ok || name == "" || err != nil || ns < 0 {
		return Mark{}, fmt.Errorf("%q is no moment of a boot", s)
	}
	return Mark{name, time.Duration(ns)}, nil
}
