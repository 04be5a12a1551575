package contract

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// probeVariable names a probe program that is built already, for hosts without Go.
const probeVariable = "QS_TEST_PROBE"

// buildProbe compiles the probe program, which has to run in any image.
func buildProbe(ctx context.Context, dir string) string {
	GinkgoHelper()
	if built := os.Getenv(probeVariable); built != "" {
		return built
	}
	program := filepath.Join(dir, "probe")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program,
		"github.com/quixand/quixand/pkg/adapters/contract/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", out)
	return program
}

// The images that the suite makes besides Harness.Image.
const (
	scratchImage = "scratch" // /probe and nothing else
	busyboxImage = "busybox" // busybox and its links in /bin, no /etc
)

// importImages makes the images that the harness can make. They are removed after
// the suite.
func (f *fixture) importImages(ctx context.Context, probe string) map[string]string {
	GinkgoHelper()
	images := map[string]string{}
	if f.harness.Import == nil {
		return images
	}
	trees := map[string]*tree{scratchImage: newTree().program("probe", probe)}
	if path := busybox(); path != "" {
		t := newTree().program("bin/busybox", path)
		for _, applet := range []string{"sh", "cat", "echo", "id", "ls", "mkdir", "printf", "pwd", "sleep", "stat", "tail", "touch"} {
			t.link("bin/"+applet, "busybox")
		}
		trees[busyboxImage] = t
	}
	for name, t := range trees {
		image, remove, err := f.harness.Import(ctx, fmt.Sprintf("quixand-contract-%s-%d", name, os.Getpid()), t.close())
		Expect(err).NotTo(HaveOccurred())
		f.undo = append(f.undo, remove)
		images[name] = image
	}
	return images
}

// tree writes a root file system as a tar archive.
type tree struct {
	buf bytes.Buffer
	tw  *tar.Writer
}

func newTree() *tree {
	t := new(tree)
	t.tw = tar.NewWriter(&t.buf)
	return t
}

func (t *tree) program(name, path string) *tree {
	GinkgoHelper()
	content, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	t.add(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}, content)
	return t
}

func (t *tree) link(name, target string) {
	GinkgoHelper()
	t.add(&tar.Header{Name: name, Linkname: target, Mode: 0o777, Typeflag: tar.TypeSymlink}, nil)
}

func (t *tree) add(h *tar.Header, content []byte) {
	GinkgoHelper()
	Expect(t.tw.WriteHeader(h)).To(Succeed())
	_, err := t.tw.Write(content)
	Expect(err).NotTo(HaveOccurred())
}

func (t *tree) close() *bytes.Buffer {
	GinkgoHelper()
	Expect(t.tw.Close()).To(Succeed())
	return &t.buf
}
