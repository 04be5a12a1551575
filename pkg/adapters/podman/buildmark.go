package podman

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"io"
	"path/filepath"
	"strings"

	"github.com/quixand/quixand/internal/statedir"
)

// mark is what tells one build from all others, in each place where an engine
// keeps something of it, for the engine itself does not tell. It is a directory
// of the build's own. The engine mounts it into every command, at a path of the
// build's own, notes that with every container, and unpacks its name with the
// files to build from.
//
// Who waits for the build has a claim on the directory. One that nobody claims
// is that of a build whose client was killed.
type mark struct{ claim *statedir.Claim }

const (
	// markTarget is in /dev, where it gets into no image.
	markTarget = "/dev/quixand-build-"
	// markFile is hidden from the recipe, as are all files with this prefix.
	markFile = ".quixand-build-"
)

func (e *engine) markBuild() (*mark, error) {
	claim, err := e.builds.Create(strings.ToLower(rand.Text())[:20])
	return &mark{claim}, err
}

func (m *mark) name() string { return filepath.Base(m.claim.Path()) }

// target is where commands see the directory.
func (m *mark) target() string { return markTarget + m.name() }

// volume is the mount, as the engine takes it and notes it.
func (m *mark) volume() string { return m.claim.Path() + ":" + m.target() + ":ro" }

// file is the beginning of a tar stream. The stream that follows ends it.
func (m *mark) file() io.Reader {
	var head bytes.Buffer
	// Neither can fail: the name is short, and the buffer takes all.
	_ = tar.NewWriter(&head).WriteHeader(&tar.Header{Name: markFile + m.name(), Mode: 0o600})
	return &head
}

func (m *mark) release() { m.claim.Release() }

// remove forgets the build. What is left of a mark is found again by a sweep.
func (m *mark) remove() { _ = m.claim.Remove() }
