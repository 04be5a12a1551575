package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// storeSize has room for a few sandboxes that write nothing.
const storeSize = "24m"

// newSmallStore is a site whose engine keeps its containers on a small disk of
// their own. The images are the user's.
func newSmallStore(t *testing.T) *site {
	t.Helper()
	if why := lacking(t.Context(), "podman"); why != "" {
		return newSite(t) // which says so
	}
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	unshared(t, "mount", "-t", "tmpfs", "-o", "mode=0700,size="+storeSize, "store", disk)
	t.Cleanup(func() { unshared(t, "umount", "--recursive", "--lazy", disk) })
	conf := filepath.Join(dir, "storage.conf")
	root := filepath.Join(disk, "root")
	// Podman 4 goes by rootless_storage_path alone.
	text := fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrootless_storage_path = %q\nrunroot = %q\n"+
		"[storage.options]\nadditionalimagestores = [%q]\n", root, root, filepath.Join(disk, "run"), userStorage())
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "CONTAINERS_STORAGE_CONF="+conf)
	s.storage = root
	s.before = s.orphans()
	return s
}

// unshared does something where the engine's mounts are.
func unshared(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("podman", append([]string{"unshare"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("podman unshare %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// exhausted fails unless a verb of qs does for want of room.
func (s *site) exhausted(args ...string) {
	s.Helper()
	if s.try(args...) {
		s.Errorf("%s: done on a full disk", args[0])
	}
}

// try reports whether a verb of qs can do without room, and fails unless it does
// or says that the disk is full and what to do.
func (s *site) try(args ...string) bool {
	s.Helper()
	_, err := s.run(append(args, "--json")...)
	if err == nil {
		return true
	}
	says := func(words string) bool { return strings.Contains(err.Error(), words) }
	if !says("disk is full") && !says("no space left on device") || !says(`"kind":"resource exhausted"`) || !says("free some disk space") {
		s.Errorf("%s on a full disk: %v", args[0], err)
	}
	return false
}

// answers fails unless a sandbox can be used.
func (s *site) answers(id string) {
	s.Helper()
	if out, err := s.run("exec", id, "--", "echo", "alive"); err != nil || out != "alive" {
		s.Errorf("exec: %q, %v", out, err)
	}
}

// worksAgain fails unless there is room again.
func (s *site) worksAgain() {
	s.Helper()
	id := s.create()
	s.answers(id)
	s.must("kill", id)
	s.within(grace, s.empty)
}

// TestFullStoreBySandbox: a sandbox that fills the disk of all can be used and
// ended, which gives the disk back, and nothing else is begun meanwhile.
func TestFullStoreBySandbox(t *testing.T) {
	s := newSmallStore(t)
	id, other := s.create(), s.create()
	if out, err := s.run("exec", id, "--", "sh", "-c", "cat /dev/zero >/tmp/fill"); err == nil || !strings.Contains(err.Error(), "No space left on device") {
		t.Fatalf("fill: %q, %v", out, err)
	}
	s.exhausted("create", "--quiet")
	for _, id := range []string{id, other} {
		s.exhausted("snapshot", id)
		s.answers(id)
		if s.try("pause", id) {
			s.must("resume", id)
		}
		s.answers(id)
	}
	if ids := s.list(); len(ids) != 2 {
		t.Errorf("there are %v", ids)
	}
	s.must("kill", id)
	s.answers(other)
	s.must("kill", other)
	s.worksAgain()
}

// TestFullStoreByOthers: a sandbox that cannot be removed, since something else
// has filled the disk, has ended all the same, and is removed when there is room.
func TestFullStoreByOthers(t *testing.T) {
	s := newSmallStore(t)
	id := s.create()
	fill := filepath.Join(filepath.Dir(s.storage), "fill")
	unshared(t, "sh", "-c", `cat /dev/zero >"$0" 2>/dev/null || true`, fill)
	s.answers(id)
	s.exhausted("create", "--quiet")
	s.try("kill", id) // Podman 4 can, to whose database little needs to be added
	s.within(grace, func() error {
		if left := s.processes(); len(left) > 0 {
			return fmt.Errorf("still running: %q", left)
		}
		return nil
	})
	unshared(t, "rm", fill)
	if _, err := s.run("kill", id); err != nil && !strings.Contains(err.Error(), "the sandbox ended") {
		t.Error(err)
	}
	s.worksAgain()
}
