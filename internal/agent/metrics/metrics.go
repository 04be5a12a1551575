// Package metrics measures what a sandbox uses. It asks the sandbox's control
// group where that counts, and otherwise adds up the sandbox's own processes:
// on hosts without cgroup controllers nothing else is confined to the sandbox.
package metrics

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Sample is one measurement, in the shape of E2B's /metrics. Memory and disk
// are in bytes unless named otherwise.
type Sample struct {
	Timestamp  int64   `json:"ts"` // Unix seconds
	CPUCount   int     `json:"cpu_count"`
	CPUUsedPct float64 `json:"cpu_used_pct"` // of one CPU, since the last sample
	MemTotal   uint64  `json:"mem_total"`
	MemUsed    uint64  `json:"mem_used"`
	MemCache   uint64  `json:"mem_cache"`
	MemTotalMi uint64  `json:"mem_total_mib"`
	MemUsedMi  uint64  `json:"mem_used_mib"`
	DiskUsed   uint64  `json:"disk_used"` // 0 where only the host can tell
	DiskTotal  uint64  `json:"disk_total"`

	// Processes that there are, and whether DiskUsed is known, are not E2B's.
	Processes int  `json:"-"`
	DiskKnown bool `json:"-"`
}

// Meter measures one sandbox. It is safe for concurrent use.
type Meter struct {
	proc, cgroup, root string

	mu      sync.Mutex
	lastCPU time.Duration
	last    time.Time // zero: nothing is known of the time before
}

// New returns a Meter for the system this process lives in. It measures
// nothing yet, since it is in the way of a sandbox's start.
func New() *Meter {
	m := newMeter("/proc", "/sys/fs/cgroup", "/")
	if os.Getpid() == 1 {
		m.last = time.Now() // the sandbox has used nothing so far
	}
	return m
}

func newMeter(proc, cgroup, root string) *Meter {
	return &Meter{proc: proc, cgroup: cgroup, root: root}
}

// Sample measures now.
func (m *Meter) Sample() Sample {
	s := Sample{Timestamp: time.Now().Unix(), CPUCount: m.cpus(), CPUUsedPct: m.cpuPercent()}
	m.memory(&s)
	s.MemTotalMi, s.MemUsedMi = s.MemTotal>>20, s.MemUsed>>20
	for range m.processes() {
		s.Processes++
	}
	var st unix.Statfs_t
	if err := unix.Statfs(m.root, &st); err == nil {
		s.disk(&st)
	}
	return s
}

// disk reads the figures of a file system. Those of an overlay are the host's,
// on whose file system it lies: what is used there is no business of the
// sandbox's, and what is free is all that it can have.
func (s *Sample) disk(st *unix.Statfs_t) {
	free := st.Bavail * uint64(st.Bsize)
	if st.Type == unix.OVERLAYFS_SUPER_MAGIC {
		s.DiskTotal = free
		return
	}
	s.DiskTotal, s.DiskKnown = st.Blocks*uint64(st.Bsize), true
	s.DiskUsed = s.DiskTotal - min(free, s.DiskTotal)
}

// cpus is how many processors the sandbox can use at once, rounded up.
func (m *Meter) cpus() int {
	n := runtime.NumCPU()
	fields := strings.Fields(m.text("cpu.max") + m.text("cpu/cpu.cfs_quota_us") + m.text("cpu/cpu.cfs_period_us"))
	if len(fields) != 2 {
		return n
	}
	quota, errQuota := strconv.Atoi(fields[0]) // or "max", and -1 of v1
	period, errPeriod := strconv.Atoi(fields[1])
	if errQuota != nil || errPeriod != nil || quota <= 0 || period <= 0 {
		return n
	}
	return min(n, (quota+period-1)/period)
}

// minInterval keeps two samples in quick succession from dividing by next to
// nothing.
const minInterval = 10 * time.Millisecond

func (m *Meter) cpuPercent() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	cpu, now := m.cpuTime(), time.Now()
	if m.last.IsZero() {
		m.lastCPU, m.last = cpu, now
	}
	used, passed := cpu-m.lastCPU, max(now.Sub(m.last), minInterval)
	m.lastCPU, m.last = cpu, now
	return math.Round(1e4*max(float64(used)/float64(passed), 0)) / 100
}

// cpuTime is what the sandbox has used so far.
func (m *Meter) cpuTime() time.Duration {
	if usec, ok := m.keyed("cpu.stat", "usage_usec"); ok {
		return time.Duration(usec) * time.Microsecond
	}
	if nsec, ok := m.number("cpuacct/cpuacct.usage"); ok {
		return time.Duration(nsec)
	}
	var ticks uint64
	for fields := range m.processes() {
		// utime and stime; and what reaped children used, which nobody else
		// counts any more
		for _, i := range []int{11, 12, 13, 14} {
			n, _ := strconv.ParseUint(fields[i], 10, 64)
			ticks += n
		}
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture of ours
	return time.Duration(ticks) * tick
}

// memory fills in what is used, and what there is at most.
func (m *Meter) memory(s *Sample) {
	info := m.meminfo()
	s.MemTotal = info["MemTotal"]
	for _, f := range memoryFiles {
		used, ok := m.number(f.used)
		if !ok {
			continue
		}
		if limit, ok := m.number(f.limit); ok {
			s.MemTotal = min(s.MemTotal, limit)
		}
		s.MemCache, _ = m.keyed(f.stat, f.cache)
		s.MemUsed = used - min(used, s.MemCache)
		return
	}
	s.MemUsed = m.resident()
}

// memoryFiles are where the control group counts memory: with cgroup v2, and
// with v1.
var memoryFiles = []struct{ used, limit, stat, cache string }{
	{"memory.current", "memory.max", "memory.stat", "file"},
	{"memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes", "memory/memory.stat", "total_cache"},
}

// resident adds up the resident memory of all processes. What they share is
// counted more than once.
func (m *Meter) resident() uint64 {
	var pages uint64
	for fields := range m.processes() {
		n, _ := strconv.ParseUint(fields[21], 10, 64)
		pages += n
	}
	return pages * uint64(os.Getpagesize())
}

// processes yields the fields of each process's stat file, from the state on,
// which is the third.
func (m *Meter) processes() func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		names, _ := filepath.Glob(filepath.Join(m.proc, "[0-9]*", "stat"))
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				continue // it has ended
			}
			// The name, in brackets, can contain anything.
			_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
			if fields := strings.Fields(rest); len(fields) > 22 && !yield(fields) {
				return
			}
		}
	}
}

func (m *Meter) meminfo() map[string]uint64 {
	values := make(map[string]uint64)
	f, err := os.Open(filepath.Join(m.proc, "meminfo"))
	if err != nil {
		return values
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err == nil {
			values[name] = kib << 10
		}
	}
	return values
}

// text is what a file of the control group holds, or nothing.
func (m *Meter) text(file string) string {
	text, _ := os.ReadFile(filepath.Join(m.cgroup, file))
	return string(text)
}

// number reads a file of the control group that holds one number.
func (m *Meter) number(file string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(m.text(file)), 10, 64)
	return n, err == nil
}

// keyed reads one value of a file of the control group that holds many.
func (m *Meter) keyed(file, key string) (uint64, bool) {
	for line := range strings.Lines(m.text(file)) {
		if value, ok := strings.CutPrefix(line, key+" "); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
