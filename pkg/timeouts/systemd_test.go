package timeouts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/quixand/quixand/internal/bootclock"
)

// reaper stands in for qs: a program that writes its arguments down.
type reaper struct {
	*Systemd
	log    string
	events *fsnotify.Watcher
}

func newReaper(t *testing.T) *reaper {
	t.Helper()
	dir := t.TempDir()
	qs := filepath.Join(dir, "q s$HOME%h")
	script := "#!/bin/sh\necho \"$QS_ROOT|$QS_ADAPTER|$*\" >>\"${0%/*}/log\"\n"
	if err := os.WriteFile(qs, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := NewSystemd(SystemdConfig{
		QS: qs, Root: "/a $HOME %h/root", RootKey: fmt.Sprintf("test%d", time.Now().UnixNano()), Adapter: "fake", Getenv: os.Getenv,
	})
	if err != nil {
		t.Skip("lacks systemd:", err)
	}
	events, err := fsnotify.NewWatcher()
	if err == nil {
		err = events.Add(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := &reaper{s, filepath.Join(dir, "log"), events}
	t.Cleanup(func() {
		events.Close()
		ids, err := s.Armed(context.Background())
		for _, id := range ids {
			err = s.Disarm(context.Background(), id)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return r
}

// await waits for that many looks and returns what they were told.
func (r *reaper) await(t *testing.T, n int) []string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		text, _ := os.ReadFile(r.log)
		if lines := strings.Fields(strings.ReplaceAll(string(text), " ", "_")); len(lines) >= n {
			return lines
		}
		select {
		case <-r.events.Events:
		case <-deadline:
			t.Fatalf("%d looks were not had: %q", n, text)
		}
	}
}

// shown is what systemctl tells of the timers.
func (r *reaper) shown(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("systemctl", "--user", "list-timers", "--all", "--no-legend", r.prefix+"*").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func (r *reaper) arm(t *testing.T, id string, after time.Duration, note Note) {
	t.Helper()
	if err := r.Arm(t.Context(), id, after, note); err != nil {
		t.Fatal(err)
	}
}

func TestSystemdLooksOnTimeAndLeavesNothing(t *testing.T) {
	r := newReaper(t)
	begin := time.Now()
	r.arm(t, "abc", 1500*time.Millisecond, Note{Idle: 7, SilentSince: 8})
	if shown := r.shown(t); !strings.Contains(shown, r.prefix+"abc-") {
		t.Errorf("systemctl does not show it: %q", shown)
	}
	got := r.await(t, 1)
	if took := time.Since(begin); took < 1500*time.Millisecond || took > 2500*time.Millisecond {
		t.Errorf("looked after %v", took)
	}
	if want := "/a_$HOME_%h/root|fake|sandbox_reap_--idle=7_--silent-since=8_--_abc"; got[0] != want {
		t.Errorf("started with %s, want %s", got[0], want)
	}
	r.awaitNothing(t)
}

// awaitNothing waits until systemd knows no unit of ours any more; it collects
// them in its own time.
func (r *reaper) awaitNothing(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		out, err := exec.Command("systemctl", "--user", "list-units", "--all", "--no-legend", r.prefix+"*").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if len(out) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: %s", out)
		}
	}
}

func TestSystemdForgets(t *testing.T) {
	r := newReaper(t)
	r.arm(t, "abc", time.Hour, Note{})
	r.arm(t, "def", time.Hour, Note{})
	if ids, err := r.Armed(t.Context()); err != nil || !slices.Equal(ids, []string{"abc", "def"}) {
		t.Fatalf("armed: %v, %v", ids, err)
	}
	for _, id := range []string{"abc", "unknown", "def", "def"} {
		if err := r.Disarm(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if ids, err := r.Armed(t.Context()); err != nil || ids != nil {
		t.Errorf("armed: %v, %v", ids, err)
	}
	r.awaitNothing(t)
}

func TestSystemdKeepsTheEarliestTime(t *testing.T) {
	r := newReaper(t)
	due := func() time.Duration {
		var next time.Duration
		err := r.with(t.Context(), func(ctx context.Context, m *manager) (err error) {
			timers, err := m.list(ctx, r.timers("abc"))
			if err == nil && len(timers) != 1 {
				err = fmt.Errorf("%d timers", len(timers))
			}
			if err == nil {
				next, err = m.next(ctx, timers[0])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return next - bootclock.Now().At
	}
	for _, c := range []struct{ after, want time.Duration }{
		{time.Hour, time.Hour}, {2 * time.Hour, time.Hour}, {time.Minute, time.Minute}, {time.Hour, time.Minute},
	} {
		r.arm(t, "abc", c.after, Note{})
		if got := due(); got > c.want || got < c.want-10*time.Second {
			t.Errorf("armed for %v: due in %v, want %v", c.after, got, c.want)
		}
	}
}

// A look arms the next one while its own timer and service are still there.
func TestSystemdArmsAgainAfterItHasFired(t *testing.T) {
	r := newReaper(t)
	for n := range 3 {
		r.arm(t, "abc", time.Millisecond, Note{Idle: time.Duration(n + 1)})
		got := r.await(t, n+1)
		if want := fmt.Sprintf("--idle=%d_", n+1); !strings.Contains(got[n], want) {
			t.Errorf("look %d: %s", n, got[n])
		}
	}
	r.awaitNothing(t)
}

func TestSystemdLeavesOutWhatSystemdRefuses(t *testing.T) {
	getenv := func(name string) string {
		return map[string]string{"QS_AGENT": "a\nb", "TMPDIR": "\xff", "PATH": "/bin"}[name]
	}
	got := environment(SystemdConfig{QS: "/qs", Root: "/r", Adapter: "a", Getenv: getenv})
	if want := []string{"QS_ROOT=/r", "QS_ADAPTER=a", "QS_BIN=/qs", "PATH=/bin"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSystemdIsRefusedWhereThereIsNone(t *testing.T) {
	_, err := NewSystemd(SystemdConfig{Getenv: func(string) string { return t.TempDir() }})
	if err != errNoManager {
		t.Error(err)
	}
}
