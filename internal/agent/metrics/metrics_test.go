package metrics

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// write makes a tree of files.
func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A process with a name that tries to be fields: 1+2+3+4 ticks, 5 pages.
const stat = "7 (a) R 9 9 (x) S 1 7 7 0 -1 4194560 805 1517 0 27 1 2 3 4 20 0 12 0 261287 1299550208 5 18446744073709551615 0\n"

func TestWithoutControllers(t *testing.T) {
	proc := write(t, t.TempDir(), map[string]string{
		"meminfo": "MemTotal:       1024 kB\nMemFree:         512 kB\n",
		"7/stat":  stat, "8/stat": stat, "self/stat": stat,
	})
	m := newMeter(proc, t.TempDir(), "/")
	s := m.Sample()
	if m.lastCPU != 200*time.Millisecond {
		t.Errorf("CPU time %v", m.lastCPU)
	}
	if want := uint64(10 * os.Getpagesize()); s.MemUsed != want || s.MemTotal != 1<<20 || s.MemTotalMi != 1 {
		t.Errorf("%+v", s)
	}
	if s.Processes != 2 {
		t.Errorf("%d processes", s.Processes)
	}
	if s.CPUCount < 1 || s.CPUUsedPct != 0 || s.DiskTotal < s.DiskUsed || s.DiskTotal == 0 {
		t.Errorf("%+v", s)
	}
}

func TestWithControllers(t *testing.T) {
	proc := write(t, t.TempDir(), map[string]string{"meminfo": "MemTotal: 1048576 kB\n"})
	group := write(t, t.TempDir(), map[string]string{
		"cpu.stat":       "usage_usec 1000000\nuser_usec 7\n",
		"cpu.max":        "50000 100000\n",
		"memory.current": "3145728\n",
		"memory.max":     "16777216\n",
		"memory.stat":    "anon 1\nfile 1048576\n",
	})
	m := newMeter(proc, group, "/")
	m.Sample()
	m.last = time.Now().Add(-10 * time.Second)
	write(t, group, map[string]string{"cpu.stat": "usage_usec 6000000\n"})
	s := m.Sample()
	if s.MemTotal != 16<<20 || s.MemUsed != 2<<20 || s.MemCache != 1<<20 {
		t.Errorf("%+v", s)
	}
	if s.CPUCount != 1 {
		t.Errorf("%d CPUs of half a one", s.CPUCount)
	}
	if s.CPUUsedPct < 49 || s.CPUUsedPct > 50 {
		t.Errorf("CPU %v%%", s.CPUUsedPct)
	}
}

func TestWithCgroupV1(t *testing.T) {
	proc := write(t, t.TempDir(), map[string]string{"meminfo": "MemTotal: 1000000 kB\n"})
	group := write(t, t.TempDir(), map[string]string{
		"cpuacct/cpuacct.usage":        "1000000000\n",
		"cpu/cpu.cfs_quota_us":         "50000\n",
		"cpu/cpu.cfs_period_us":        "100000\n",
		"memory/memory.usage_in_bytes": "3145728\n",
		"memory/memory.limit_in_bytes": "16777216\n",
		"memory/memory.stat":           "cache 1\ntotal_cache 1048576\n",
	})
	m := newMeter(proc, group, "/")
	m.Sample()
	m.last = time.Now().Add(-10 * time.Second)
	write(t, group, map[string]string{"cpuacct/cpuacct.usage": "6000000000\n"})
	s := m.Sample()
	if s.MemTotal != 16<<20 || s.MemUsed != 2<<20 || s.MemCache != 1<<20 || s.CPUCount != 1 {
		t.Errorf("%+v", s)
	}
	if s.CPUUsedPct < 49 || s.CPUUsedPct > 50 {
		t.Errorf("CPU %v%%", s.CPUUsedPct)
	}
}

func TestThisSystem(t *testing.T) {
	s := New().Sample()
	if s.MemUsed == 0 || s.MemTotal == 0 || s.DiskTotal == 0 {
		t.Errorf("%+v", s)
	}
}

func TestDisk(t *testing.T) {
	st := unix.Statfs_t{Type: unix.EXT4_SUPER_MAGIC, Bsize: 10, Blocks: 100, Bfree: 60, Bavail: 50}
	var own, overlay Sample
	own.disk(&st)
	if own.DiskTotal != 1000 || own.DiskUsed != 500 || !own.DiskKnown {
		t.Errorf("a file system of its own: %+v", own)
	}
	st.Type = unix.OVERLAYFS_SUPER_MAGIC
	overlay.disk(&st)
	if overlay.DiskTotal != 500 || overlay.DiskUsed != 0 || overlay.DiskKnown {
		t.Errorf("an overlay: %+v", overlay)
	}
}
