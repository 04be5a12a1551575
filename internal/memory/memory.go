// Package memory learns from the kernel when it has killed something for want of
// memory. What memory is used for is the agent's package metrics's.
package memory

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// Events and EventsV1 are where the kernel counts for a container with a limit,
// with cgroup v2 and v1: its cgroup namespace makes its own group the root.
const (
	Events   = "/sys/fs/cgroup/memory.events"
	EventsV1 = "/sys/fs/cgroup/memory/memory.oom_control"
)

// Kills counts what the kernel has killed from some moment on. It is safe for concurrent use.
type Kills struct {
	file string

	mu   sync.Mutex
	seen int64
}

// Watch returns a counter of the kills that the first of some files like [Events]
// tells of that is there, from now on. Where there is none nothing is ever
// counted.
func Watch(files ...string) *Kills {
	k := new(Kills)
	for _, file := range files {
		if seen, ok := Count(file); ok {
			k.file, k.seen = file, seen
			break
		}
	}
	return k
}

// New is how many kills there were since it was last asked.
func (k *Kills) New() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.seen
	k.seen, _ = Count(k.file)
	return max(0, k.seen-before)
}

// Count reads how many kills a file like [Events] tells of, since its group was
// made and in all groups below, those that are gone included. It is false where
// there is no such file, or it does not say.
func Count(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if digits, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
