package crash

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/quixand"

	_ "github.com/quixand/quixand/pkg/adapters/podman"
)

var (
	cycles   = flag.Int("cycles", 30, "how many sandboxes the soak creates, uses and kills")
	soakTime = flag.Duration("soak-time", 30*time.Minute, "when the soak ends at the latest")
)

// TestSoak creates, uses and kills sandboxes again and again. What the host has
// to give does not become less by it.
func TestSoak(t *testing.T) {
	s := newSite(t)
	t.Setenv("QS_ROOT", s.root)
	t.Setenv("CONTAINER_HOST", "unix://"+s.service.socket)
	client, err := quixand.New(&quixand.Config{Timeout: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	end := time.Now().Add(*soakTime)
	soak := func(n int) (done int) {
		var all sync.WaitGroup
		turns := make(chan int)
		for range 2 {
			all.Go(func() {
				for range turns {
					if err := cycle(t.Context(), client); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for done < n && time.Now().Before(end) && !t.Failed() {
			turns <- done
			done++
		}
		close(turns)
		all.Wait()
		return done
	}
	soak(10) // what is made once is there from now on
	s.list()
	before := s.weigh()
	t.Logf("at the start: %v", before)
	begin := time.Now()
	done := soak(*cycles)
	var after burden
	s.within(grace, func() error {
		s.list() // which tidies up
		after = s.weigh()
		return after.exceeds(before, done)
	})
	t.Logf("at the end:   %v", after)
	t.Logf("%d cycles in %v", done, time.Since(begin).Round(time.Second))
	s.within(grace, s.empty)
}

// cycle is one sandbox's life.
func cycle(ctx context.Context, client *quixand.Client) error {
	sb, err := client.Create(ctx, &quixand.Options{Ephemeral: true})
	if err != nil {
		return err
	}
	res, err := sb.Run(ctx, "echo", "hello")
	if err == nil && res.Text() != "hello\n" {
		err = fmt.Errorf("it says %q", res.Text())
	}
	if killed := sb.Kill(ctx); err == nil {
		err = killed
	}
	return err
}

// burden is what sandboxes could leave to a host.
type burden struct {
	memory, engineMemory     int // kB, of this process and of the engine's service
	descriptors, engineFiles int
	goroutines               int
	processes, units         int // of the user's, whoever made them
	disk                     int // bytes, of the root and of the runtime directory
	files                    int // there, and in the engine's directories
}

func (b burden) String() string {
	return fmt.Sprintf("memory %d kB (engine %d kB), descriptors %d (engine %d), goroutines %d, processes %d, units %d, disk %d B, files %d",
		b.memory, b.engineMemory, b.descriptors, b.engineFiles, b.goroutines, b.processes, b.units, b.disk, b.files)
}

// weigh takes the measure of the site. Processes and files of others that come
// and go are not in it.
func (s *site) weigh() burden {
	runtime.GC()
	service := fmt.Sprint("/proc/", s.service.pid())
	b := burden{
		memory: number("/proc/self/status", "VmRSS"), engineMemory: number(service+"/status", "VmRSS"),
		descriptors: entries("/proc/self/fd"), engineFiles: entries(service + "/fd"),
		goroutines: runtime.NumGoroutine(), processes: len(s.processes()), units: len(s.units()),
	}
	for _, dir := range []string{s.root, s.dirs().Path()} {
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if info, err := d.Info(); err == nil {
				b.disk += int(info.Size())
				b.files++
			}
			return nil
		})
	}
	return b
}

func entries(dir string) int {
	list, _ := os.ReadDir(dir)
	return len(list)
}

// The memory of a Go program breathes; the rest does not. Tombstones are kept
// for a while, up to their own bound.
const (
	breath    = 30 << 10 // kB
	tombstone = 16 << 10 // bytes
	tombs     = 1000
)

// exceeds says what has grown.
func (b burden) exceeds(before burden, cycles int) error {
	var grown []string
	for _, row := range []struct {
		what               string
		now, then, allowed int
	}{
		{"memory", b.memory, before.memory, breath},
		{"the engine's memory", b.engineMemory, before.engineMemory, breath},
		{"descriptors", b.descriptors, before.descriptors, 2},
		{"the engine's descriptors", b.engineFiles, before.engineFiles, 4},
		{"goroutines", b.goroutines, before.goroutines, 2},
		{"processes", b.processes, before.processes, 0},
		{"units", b.units, before.units, 0},
		{"disk", b.disk, before.disk, min(cycles, tombs) * tombstone},
		{"files", b.files, before.files, min(cycles, tombs)},
	} {
		if row.now > row.then+row.allowed {
			grown = append(grown, fmt.Sprintf("%s: %d, and %d before", row.what, row.now, row.then))
		}
	}
	if grown == nil {
		return nil
	}
	return fmt.Errorf("grown: %s", strings.Join(grown, "; "))
}
