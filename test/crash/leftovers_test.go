package crash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// leftovers lists all that the host and the engine hold of the site, in words
// for a person. Containers, networks and the like of others do not count.
func (s *site) leftovers() []string {
	s.Helper()
	var left []string
	add := func(what string, found []string) {
		for _, f := range found {
			left = append(left, what+" "+f)
		}
	}
	filter := "label=quixand.root=" + s.root
	add("container", s.ask("ps", "--all", "--filter", filter, "--format", "{{.ID}} {{.Names}} {{.State}}"))
	add("image", s.ask("images", "--all", "--filter", filter, "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"))
	add("image", s.ask("images", "--all", "--filter", "reference=localhost/quixand/snapshot/"+s.key(), "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"))
	// What a build has finished stays for the next one, until this is said.
	s.ask("image", "prune", "--force", "--filter", "label="+s.layerLabel())
	add("layer", s.ask("images", "--all", "--filter", "label="+s.layerLabel(), "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"))
	add("volume", s.ask("volume", "ls", "--filter", filter, "--format", "{{.Name}}"))
	add("network", s.ask("network", "ls", "--filter", filter, "--format", "{{.Name}}"))
	add("unit", s.units())
	add("file", s.files())
	add("process", s.processes())
	return left
}

// ask asks the engine in another way than the one that is tested.
func (s *site) ask(args ...string) []string {
	s.Helper()
	cmd := exec.Command(s.cli, args...)
	if s.service != nil {
		cmd.Env = append(os.Environ(), s.service.env...)
	}
	out, err := cmd.Output()
	if err != nil {
		// A container may vanish under the list.
		return []string{fmt.Sprintf("%s %s: %v", s.cli, args[0], err)}
	}
	return lines(out)
}

func lines(out []byte) []string {
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// key is what the names of the site's directories, units and logs contain.
func (s *site) key() string { return filepath.Base(s.dirs().Path()) }

func (s *site) units() []string {
	out, err := exec.Command("systemctl", "--user", "list-units", "--all", "--plain", "--no-legend", "quixand-"+s.key()+"*").Output()
	if err != nil {
		return nil // no user manager, no units
	}
	return lines(out)
}

// files are those of the runtime directory, which goes with the last sandbox.
func (s *site) files() []string {
	var found []string
	_ = filepath.WalkDir(s.dirs().Path(), func(path string, d os.DirEntry, err error) error {
		if err == nil && path != s.dirs().Path() {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// processes are those whose arguments or environment name the site: the
// monitors, by the path of their log, and what qs has started. The service is
// the site's own.
func (s *site) processes() []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	own := []int{os.Getpid()}
	if s.service != nil {
		own = append(own, s.service.pid())
	}
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if slices.Contains(own, pid) {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		named := bytes.Contains(args, []byte(s.dirs().Path())) || bytes.Contains(env, []byte("QS_ROOT="+s.root+"\x00"))
		if named && len(args) > 0 {
			found = append(found, fmt.Sprint(pid, " ", strings.ReplaceAll(string(args), "\x00", " ")))
		}
	}
	return found
}

// orphans are what the engine itself has lost sight of, of whatever origin: a
// container's storage, its mount, its network and its runtime's notes. Those of
// a daemon of root's are not to be seen.
func (s *site) orphans() []string {
	if s.cli != "podman" {
		return nil
	}
	known := s.ask("ps", "--all", "--external", "--no-trunc", "--format", "{{.ID}}")
	var found []string
	for _, line := range s.ask("ps", "--all", "--external", "--format", "{{.Names}} {{.State}}") {
		if strings.HasPrefix(line, "qs-") && strings.HasSuffix(line, " storage") {
			found = append(found, line)
		}
	}
	patterns := []string{filepath.Join(s.storage, "overlay-containers/*")}
	if s.storage == userStorage() { // the runtime's notes are one directory for all
		patterns = append(patterns, filepath.Join(runtimeDir(), "crun/*"))
	}
	for _, pattern := range patterns {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			if id := filepath.Base(path); len(id) == 64 && !slices.Contains(known, id) {
				found = append(found, path)
			}
		}
	}
	found = append(append(found, s.mounts()...), networks()...)
	return append(found, s.builds()...)
}

// mounts are the root file systems that are mounted for no container.
func (s *site) mounts() []string {
	var inUse []string
	for _, name := range []string{"containers.json", "volatile-containers.json"} {
		text, err := os.ReadFile(filepath.Join(s.storage, "overlay-containers", name))
		if err != nil {
			continue
		}
		var containers []struct{ Layer string }
		if err := json.Unmarshal(text, &containers); err != nil {
			return []string{err.Error()}
		}
		for _, c := range containers {
			inUse = append(inUse, c.Layer)
		}
	}
	var found []string
	for _, line := range s.ask("unshare", "cat", "/proc/self/mountinfo") {
		fields := strings.Fields(line)
		if len(fields) < 5 || filepath.Base(fields[4]) != "merged" || !strings.HasPrefix(fields[4], s.storage) {
			continue
		}
		if !slices.Contains(inUse, filepath.Base(filepath.Dir(fields[4]))) {
			found = append(found, "mount "+fields[4])
		}
	}
	return found
}

// networks are the user-mode networks whose namespace has no file any more.
func networks() []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		args, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !bytes.Contains(args, []byte("pasta")) {
			continue
		}
		for _, arg := range strings.Split(string(args), "\x00") {
			if !strings.HasPrefix(arg, filepath.Join(runtimeDir(), "netns")) {
				continue
			}
			if _, err := os.Stat(arg); os.IsNotExist(err) {
				found = append(found, "pasta of "+arg)
			}
		}
	}
	return found
}

// userStorage is where the user's engine keeps its containers.
func userStorage() string {
	return filepath.Join(home(), ".local/share/containers/storage")
}

func home() string { return os.Getenv("HOME") }

func runtimeDir() string { return os.Getenv("XDG_RUNTIME_DIR") }

// number reads a number from a file of /proc such as status.
func number(path, name string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), name+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}
