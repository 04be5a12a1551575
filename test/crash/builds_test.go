package crash

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/statedir"
)

// templates is what the names of the site's templates begin with.
func (s *site) templates() string { return "crash-" + s.key() + "-" }

// layerLabel is what the site's recipes label their layers with.
func (s *site) layerLabel() string { return "quixand.crash=" + s.key() }

var buildMark = regexp.MustCompile(`/dev/quixand-build-([a-z0-9]+)`)

// builds are those that nobody waits for, and wherever else one is mentioned that
// is not going on: by a process, by a container's note, by the bundle of a command.
func (s *site) builds() []string {
	notes := statedir.OpenBuilds(s.root)
	ids, err := notes.IDs()
	if err != nil {
		return []string{err.Error()}
	}
	var found, live []string
	for _, id := range ids {
		claim, err := notes.Claim(id)
		if err != nil {
			live = append(live, id)
			continue
		}
		claim.Release()
		found = append(found, "build "+id)
	}
	for _, pattern := range []string{
		"/proc/[0-9]*/mountinfo",
		filepath.Join(home(), ".local/share/containers/storage/overlay-containers/*/userdata/buildah.json"),
		"/var/tmp/buildah*/config.json",
	} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, _ := os.ReadFile(file)
			if m := buildMark.FindSubmatch(text); m != nil && !slices.Contains(live, string(m[1])) {
				found = append(found, fmt.Sprintf("%s of build %s", file, m[1]))
			}
		}
	}
	contexts, _ := filepath.Glob("/var/tmp/libpod_builder*/build/.quixand-build-*")
	return append(found, slices.DeleteFunc(contexts, func(file string) bool {
		return slices.ContainsFunc(live, func(id string) bool { return strings.HasSuffix(file, id) })
	})...)
}

// TestKilledBuilds: a build whose client is killed, with the engine or alone, is
// over with the next call, although its command would go on for ever.
func TestKilledBuilds(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	recipe := fmt.Sprintf("FROM %s\nLABEL %s\nRUN echo ready; sleep 1000\n", os.Getenv("QS_IMAGE"), s.layerLabel())
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(recipe), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, alsoEngine := range map[string]bool{"client": false, "client and engine": true} {
		t.Run(name, func(t *testing.T) {
			s := s.sub(t)
			cmd := s.command(context.Background(), "templates", "build", dir, "--name", s.templates()+"killed")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = cmd.Stdout
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			for lines.Scan() && lines.Text() != "ready" {
				continue
			}
			if alsoEngine {
				s.service.kill()
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			s.service.ensure()
			if alsoEngine && len(s.builds()) < 5 { // the mark, a container, a bundle, the context, processes
				t.Errorf("the engine should have left more than %q", s.builds())
			}
			s.list()
			s.within(grace, s.empty)
		})
	}
}
